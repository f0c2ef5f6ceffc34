"""Any bytes give an image or a reason: the same on every run, in every thread."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets_tests.property_profiles import examples


def test_details_are_the_same_on_every_run(picture, encode):
    data = encode(picture)
    for bad in (b"\x89PNG\r\n\x1a\nxx", data[:60], b"II*\x00" + bytes(50)):
        first, second = normalise(bad), normalise(bytes(bytearray(bad)))
        assert first == second
        assert isinstance(first, Reject) and "\n" not in first.detail and len(first.detail) <= 200


def test_threads_give_what_one_thread_gives(noise, picture, encode):
    files = [encode(noise(seed), "JPEG") for seed in range(20)]
    files += [encode(picture, "GIF"), b"", encode(picture)[:70], encode(picture, "TIFF")] * 5
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(normalise, files)) == [normalise(data) for data in files]
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before


_STARTS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"RIFF\x00\x01\x00\x00WEBP",
    b"II*\x00\x08\x00\x00\x00",
    b"MM\x00*",
    b"BM" + bytes(12) + b"\x28\x00\x00\x00",
]


def _sample(image_format: str, **options: object) -> bytes:
    rows = np.random.default_rng(7).integers(0, 256, (36, 48, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rows).save(out, format=image_format, **options)  # type: ignore[arg-type]
    return out.getvalue()


_SAMPLES = [
    *(_sample(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")),
    _sample("JPEG", progressive=True),
    _sample("TIFF", compression="tiff_lzw"),
]


def _is_sound(data: bytes) -> None:
    result = normalise(data, DecodeLimits(max_pixels=1_000_000, min_side=1))
    if isinstance(result, NormalisedImage):
        with Image.open(io.BytesIO(result.data)) as opened:
            opened.load()
            assert (opened.mode, opened.size) == ("RGB", (result.width, result.height))


@examples(300)
@given(st.sampled_from(_STARTS), st.binary(max_size=400))
@pytest.mark.filterwarnings("ignore")
def test_random_bytes_never_raise(start, rest):
    _is_sound(start + rest)


@examples(400)
@given(
    st.sampled_from(_SAMPLES),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.1, 1.0),
    st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_mutated_files_never_raise(sample, changes, share, early):
    data = bytearray(sample)
    reach = 120 if early else len(data)  # headers are where the harm is
    for place, value in changes:
        data[int(place * min(reach, len(data)))] = value
    _is_sound(bytes(data[: max(int(share * len(data)), 1)] if share < 0.9 else data))
