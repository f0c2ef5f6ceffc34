"""AVIF, HEIF and JPEG XL: pixels, rotation, alpha, and files that lie about their size."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow
from pillow_jxl import JpegXLImagePlugin  # noqa: F401 - its encoder

from rolesynth_assets.images.decoding import decode_apart
from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.formats import sniff
from rolesynth_assets.images.decoding.jxl import codestream, read_header
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets_tests.images.decoding.decoded import accepted, pixels

FORMATS = ("AVIF", "HEIF", "JXL")


def written(image: Image.Image, image_format: str, **options) -> bytes:
    out = io.BytesIO()
    if image_format == "HEIF":
        from_pillow(image).save(out, quality=-1, chroma=444, **options)
    elif image_format == "AVIF":
        image.save(out, "AVIF", quality=100, subsampling="4:4:4", **options)
    else:
        image.save(out, "JXL", lossless=True, **options)
    return out.getvalue()


def refused(data: bytes, limits: DecodeLimits | None = None) -> Reject:
    reject = normalise(data, limits)
    assert isinstance(reject, Reject)
    return reject


@pytest.mark.parametrize("image_format", FORMATS)
def test_pixels_become_a_png(picture, image_format):
    image = accepted(written(picture, image_format))
    assert (image.media_type, image.source_format) == ("image/png", image_format)
    assert np.abs(pixels(image).astype(int) - np.asarray(picture)).max() <= 8


@pytest.mark.parametrize("image_format", FORMATS)
def test_alpha_is_laid_over_white(picture, image_format):
    layer = picture.convert("RGBA")
    layer.putalpha(Image.new("L", layer.size, 0))
    assert (pixels(accepted(written(layer, image_format))) >= 250).all()


@pytest.mark.parametrize("image_format", FORMATS)
def test_rotation_is_applied_once(picture, image_format):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = accepted(written(picture, image_format, exif=exif.tobytes()))
    # in JPEG XL the orientation is in the image, and EXIF's does not count
    assert (image.width, image.height) == ((64, 40) if image_format == "JXL" else (40, 64))


@pytest.mark.parametrize("image_format", FORMATS)
def test_damaged_files_have_a_reason(noise, image_format):
    data = written(noise(1), image_format)
    for end in (16, 40, len(data) // 2, len(data) - 20):
        assert refused(data[:end]).reason in (RejectReason.CORRUPT, RejectReason.TRUNCATED)
    again = accepted(data)  # by the same worker
    assert again == accepted(data)


@pytest.mark.parametrize("image_format", FORMATS)
def test_bounds_count_before_the_decoder(picture, image_format):
    data = written(picture, image_format)
    few = DecodeLimits(max_pixels=64 * 40 - 1)
    assert refused(data, few).reason is RejectReason.TOO_MANY_PIXELS
    assert refused(data, DecodeLimits(max_side=63)).reason is RejectReason.SIDE_TOO_LONG
    big = written(picture.resize((1280, 800)), image_format)
    little = refused(big, DecodeLimits(max_decode_bytes=2**20))
    assert little.reason is RejectReason.TOO_MUCH_MEMORY
    assert "limits.image.max_decode_bytes" in little.detail


@pytest.mark.parametrize("image_format", ["AVIF", "HEIF"])
def test_a_false_size_cannot_take_more_memory_than_the_limit(image_format):
    fast = {"speed": 10} if image_format == "AVIF" else {"enc_params": {"preset": "ultrafast"}}
    data = bytearray(written(Image.new("RGB", (5000, 4500), "red"), image_format, **fast))
    at = 0
    while (at := data.find(b"ispe", at)) >= 0:
        data[at + 8 : at + 16] = struct.pack(">II", 64, 64)
        at += 4
    reject = normalise(bytes(data), DecodeLimits(max_decode_bytes=2**20))
    assert isinstance(reject, Reject)
    assert reject.reason in (RejectReason.TOO_MUCH_MEMORY, RejectReason.CORRUPT)


def test_a_decoder_that_takes_too_long_is_ended(noise):
    data = written(noise(1).resize((400, 300)), "AVIF")
    assert refused(data, DecodeLimits(max_seconds=0.0001)).reason is RejectReason.TOO_SLOW
    assert accepted(data).width == 400


def test_a_decoder_that_was_killed_is_started_again(picture):
    data = written(picture, "AVIF")
    accepted(data)
    for worker in decode_apart.DECODERS.workers:
        if worker.process:
            os.kill(worker.process.pid, 9)
            worker.process.wait()
    assert accepted(data).width == 64


def test_several_frames_are_refused(noise):
    out = io.BytesIO()
    noise(1).save(out, "AVIF", save_all=True, append_images=[noise(2)])
    assert refused(out.getvalue()).reason is RejectReason.ANIMATED


def test_a_heif_of_several_pictures_gives_its_primary_one(picture, noise):
    heif = from_pillow(noise(2))
    heif.add_from_pillow(picture)
    out = io.BytesIO()
    heif.save(out, quality=-1, chroma=444, primary_index=1)
    assert accepted(out.getvalue()).width == 64


@pytest.mark.parametrize(
    ("brands", "image_format"),
    [
        (b"avif", "AVIF"),
        (b"heic", "HEIF"),
        (b"heix", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"isom\0\0\0\0isomavc1", None),
    ],
)
def test_the_brands_of_a_file_decide(brands, image_format):
    assert sniff(struct.pack(">I", 4 + 4 + len(brands)) + b"ftyp" + brands + bytes(40)) == (
        image_format
    )


@pytest.mark.parametrize("size", [(64, 40), (8, 8), (300, 200), (1920, 1080), (5000, 31), (7, 999)])
@pytest.mark.parametrize("boxed", [False, True])
def test_the_header_of_a_jpeg_xl(size, boxed):
    data = written(Image.new("RGB", size, "red"), "JXL", use_container=boxed)
    assert read_header(codestream(data)).size == size
    assert not read_header(codestream(data)).animated
