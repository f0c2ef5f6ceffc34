"""Pictures of large cameras, and samples of 9 to 16 bits."""

from __future__ import annotations

import io
import struct
import threading
import zlib

import numpy as np
import pillow_jxl  # noqa: F401  (registers JXL)
import pytest
from PIL import Image
from pillow_heif import from_pillow

from rolesynth_assets.images.decoding.bounds import LARGE
from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.pictures.opened import draft_large, open_picture
from rolesynth_assets.pictures.thumbnails import fitted
from rolesynth_assets_tests.images.decoding.decoded import accepted, pixels


def test_150_megapixels_are_kept_and_shown(encode):
    data = encode(Image.new("RGB", (14_204, 10_652), "red"), "JPEG")
    image = accepted(data)
    assert image.data is data
    assert (image.width, image.height) == (14_204, 10_652)
    assert fitted(data, 100, 100).size == (100, 75)


def test_a_jpeg_is_decoded_smaller_where_its_memory_would_not_suffice(picture, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture.resize((640, 400)), "JPEG", quality=100, exif=exif)
    assert (accepted(data).width, accepted(data).height) == (400, 640)
    image = accepted(data, DecodeLimits(max_decode_bytes=1_500_000))
    assert (image.width, image.height) == (200, 320)
    assert pixels(image)[5, 5] == pytest.approx(np.asarray(picture)[39, 0], abs=6)


def test_a_progressive_jpeg_needs_the_memory_of_its_coefficients(picture, encode):
    data = encode(picture.resize((1280, 800)), "JPEG", progressive=True, subsampling=0)
    assert accepted(data, DecodeLimits(max_decode_bytes=7_000_000)).width == 1280
    assert accepted(data, DecodeLimits(max_decode_bytes=6_000_000)).data is data  # alone
    reject = normalise(data, DecodeLimits(max_decode_bytes=6_000_000, large_factor=1))
    assert isinstance(reject, Reject) and reject.reason is RejectReason.TOO_MUCH_MEMORY


def _save_heif(image: Image.Image, file: io.BytesIO, filename: str) -> None:
    from_pillow(image).save(file)


@pytest.mark.parametrize("image_format", ["AVIF", "HEIF", "JXL"])
def test_a_large_picture_is_decoded_alone_and_stored_at_half_its_size(
    picture, encode, image_format, monkeypatch
):
    if image_format == "HEIF":
        monkeypatch.setitem(Image.SAVE, "HEIF", _save_heif)
    data = encode(picture.resize((1000, 800)), image_format)
    assert accepted(data).width == 1000
    limits = DecodeLimits(max_decode_bytes=4_000_000)
    image = accepted(data, limits)
    assert (image.width, image.height) == (500, 400)
    small = np.asarray(picture.resize((500, 400))).astype(int)
    assert abs(pixels(image).astype(int) - small).mean() < 6
    with LARGE:  # another large picture is being decoded
        thread = threading.Thread(target=normalise, args=(data, limits))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert accepted(encode(picture, image_format)).width == picture.width
    thread.join(60)
    assert not thread.is_alive()
    refused = normalise(data, DecodeLimits(max_decode_bytes=4_000_000, large_factor=1))
    assert isinstance(refused, Reject) and refused.reason is RejectReason.TOO_MUCH_MEMORY


def test_a_bound_above_that_of_pillow_counts(encode, recwarn):
    data = encode(Image.new("L", (15_000, 15_000)), "JPEG")
    limits = DecodeLimits(max_pixels=225_000_000, max_decode_bytes=2**30)
    assert isinstance(accepted(data, limits), NormalisedImage)
    with open_picture(data) as opened:
        draft_large(opened, (100, 100))
        assert opened.size == (1875, 1875)
    assert not [w for w in recwarn if "DecompressionBomb" in str(w.category)]


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_grey_of_fewer_bits_uses_the_whole_range(encode, bits, image_format):
    deep = np.linspace(0, 2**bits - 1, 64 * 40).reshape(40, 64).astype(np.uint16)
    got = pixels(accepted(encode(Image.fromarray(deep), image_format)))
    assert np.array_equal(got[..., 0], deep >> (bits - 8))


def png16(samples: np.ndarray, colour: int) -> bytes:
    """A PNG of 16-bit samples (height, width, channels)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff16(samples: np.ndarray, order: str, lzw: bool) -> bytes:
    """A TIFF of 16-bit RGB samples in one strip; libtiff reads the one that is compressed."""
    height, width = samples.shape[:2]
    strip = samples.astype(f"{order}u2").tobytes()
    if lzw:
        strip = zlib.compress(strip)
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, 8 + 2 + 12 * 10 + 4), (259, 3, 8 if lzw else 1),
        (262, 3, 2), (273, 4, 200), (277, 3, 3), (278, 4, height), (279, 4, len(strip)),
        (284, 3, 1),
    ]  # fmt: skip
    entries = b""
    for tag, kind, value in tags:
        count = 3 if tag == 258 else 1
        shown = struct.pack(f"{order}I", value)
        if kind == 3 and count == 1:
            shown = struct.pack(f"{order}HH", value, 0)
        entries += struct.pack(f"{order}HHI", tag, kind, count) + shown
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    head += struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    head += struct.pack(f"{order}HHH", 16, 16, 16)
    return head.ljust(200, b"\0") + strip


def samples(bits: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(bits).integers(0, 2**bits, (40, 64, channels), dtype=np.uint16)
    values[0, 0] = 2**bits - 1
    return values


@pytest.mark.parametrize("bits", [10, 12, 15, 16])
def test_colours_of_fewer_bits_use_the_whole_range(bits):
    deep = samples(bits)
    assert np.array_equal(pixels(accepted(png16(deep, 2))), deep >> (bits - 8))
    for order in "<>":
        for lzw in (False, True):
            got = pixels(accepted(tiff16(deep, order, lzw)))
            assert np.array_equal(got, deep >> (bits - 8)), (order, lzw)


def test_alpha_has_a_range_of_its_own():
    deep = samples(12, 4)
    deep[..., 3] = 65_535
    assert np.array_equal(pixels(accepted(png16(deep, 6))), deep[..., :3] >> 4)
    grey = samples(12, 2)
    grey[..., 1] = 65_535
    got = pixels(accepted(png16(grey, 4)))
    assert np.array_equal(got[..., 0], grey[..., 0] >> 4)
    assert np.array_equal(got[..., 0], got[..., 2])
