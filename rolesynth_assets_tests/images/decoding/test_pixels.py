"""Pixels of every format and mode: what is kept as it is, and what becomes RGB, upright, opaque."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets_tests.images.decoding.decoded import (
    accepted,
    pixels,
    png_chunk,
    png_file,
    refused,
)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_plain_rgb_keeps_the_original_bytes(picture, encode, image_format):
    data = encode(picture, image_format)
    image = accepted(data)
    assert image.data is data
    assert image.image_id == hashlib.sha256(data).hexdigest()
    assert (image.width, image.height, image.source_format) == (64, 40, image_format)
    assert image.media_type == f"image/{image_format.lower()}"


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF"])
def test_other_formats_become_png_with_the_same_pixels(picture, encode, image_format):
    data = encode(picture, image_format)
    image = accepted(data)
    assert image.media_type == "image/png"
    assert image.image_id == hashlib.sha256(data).hexdigest()  # of the source, not of the PNG
    assert np.array_equal(pixels(image), np.asarray(picture))


def test_greyscale_is_spread_over_three_channels(picture, encode):
    grey = picture.convert("L")
    got = pixels(accepted(encode(grey, "JPEG", quality=100)))
    assert np.abs(got.astype(int) - np.asarray(grey)[..., None]).max() <= 3
    one_bit = pixels(accepted(encode(picture.convert("1"))))
    assert set(np.unique(one_bit)) <= {0, 255}


def test_alpha_is_laid_over_white(picture, encode):
    layer = picture.convert("RGBA")
    alpha = np.zeros((40, 64), dtype=np.uint8)
    alpha[:, 32:] = 255
    alpha[0, 0] = 128
    layer.putalpha(Image.fromarray(alpha))
    for image_format, options in [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})]:
        got = pixels(accepted(encode(layer, image_format, **options)))
        assert (got[1:, :32] == 255).all()
        assert np.array_equal(got[:, 32:], np.asarray(picture)[:, 32:])
        half = np.asarray(picture)[0, 0] * (128 / 255) + 255 * (127 / 255)
        assert np.abs(got[0, 0] - half).max() <= 1


def test_transparent_colours_of_palettes_and_rgb_are_laid_over_white(picture, encode):
    palette = picture.quantize(4)
    clear = palette.getpixel((0, 0))
    for image_format in ("PNG", "GIF"):
        got = pixels(accepted(encode(palette, image_format, transparency=clear)))
        assert (got[:20, :32] == 255).all()
        assert np.array_equal(got[20:], np.asarray(palette.convert("RGB"))[20:])
    got = pixels(accepted(encode(picture, "PNG", transparency=(200, 10, 20))))
    assert (got[:20, :32] == 255).all()
    assert np.array_equal(got[20:], np.asarray(picture)[20:])


def test_palette_with_an_alpha_per_colour(picture, encode):
    palette = picture.quantize(4)
    clear = palette.getpixel((0, 0))
    assert isinstance(clear, int)
    alphas = bytes(0 if index == clear else 255 for index in range(4))
    got = pixels(accepted(encode(palette, "PNG", transparency=alphas)))
    assert (got[:20, :32] == 255).all()
    assert np.array_equal(got[20:], np.asarray(palette.convert("RGB"))[20:])


def test_cmyk_jpeg_becomes_rgb(picture, encode):
    got = pixels(accepted(encode(picture.convert("CMYK"), "JPEG", quality=100, subsampling=0)))
    assert np.abs(got.astype(int) - np.asarray(picture)).max() <= 12


def test_sixteen_bit_grey_keeps_the_high_byte(encode):
    deep = np.linspace(0, 65535, 64 * 40).reshape(40, 64).astype(np.uint16)
    for image_format in ("PNG", "TIFF"):
        got = pixels(accepted(encode(Image.fromarray(deep), image_format)))
        assert np.array_equal(got, np.repeat((deep >> 8)[..., None], 3, axis=2))


def test_sixteen_bit_colour_is_not_kept_as_it_is():
    rows = np.random.default_rng(0).integers(0, 65536, (40, 64, 3), dtype=np.uint16)
    raw = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in rows)
    data = png_file(64, 40, png_chunk(b"IDAT", zlib.compress(raw)), depth=16)
    image = accepted(data)
    assert image.data != data
    assert np.array_equal(pixels(image), rows >> 8)


def test_float_and_32_bit_pixels_are_refused(encode):
    for kind in (np.float32, np.int32):
        deep = Image.fromarray(np.ones((40, 64), dtype=kind))
        assert refused(encode(deep, "TIFF")) is RejectReason.UNSUPPORTED_PIXELS


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(picture, encode, image_format, orientation):
    stored = np.asarray(picture)
    upright = {  # EXIF 2.3: where the stored row 0 and column 0 are
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: stored.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
    }.get(image_format, {})
    data = encode(picture, image_format, exif=exif, **options)
    image = accepted(data)
    got = pixels(image)
    assert got.shape == upright.shape
    assert np.abs(got.astype(int) - upright).max() <= (60 if image_format == "JPEG" else 0)
    assert got[2, 2] == pytest.approx(upright[2, 2], abs=5)  # the corner, away from edges
    assert got[-3, 2] == pytest.approx(upright[-3, 2], abs=5)
    assert (image.data is data) == (orientation == 1 and image_format != "TIFF")
    again = accepted(image.data)  # upright once and for all
    assert again.data is image.data


def test_damaged_exif_does_not_cost_the_picture(picture, encode):
    data = encode(picture, "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff junk")
    assert accepted(data).width == 64


def test_a_multi_picture_jpeg_gives_its_first_picture(picture, noise, encode):
    data = encode(picture, "MPO", save_all=True, append_images=[noise(2)], quality=100)
    image = accepted(data)
    assert image.media_type == "image/jpeg"
    assert (image.width, image.height) == (64, 40)
    with Image.open(io.BytesIO(image.data)) as opened:
        assert np.asarray(opened)[2, 2] == pytest.approx(np.asarray(picture)[2, 2], abs=5)
