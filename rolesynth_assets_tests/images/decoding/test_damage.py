"""Files that are no image, or not a whole one."""

from __future__ import annotations

import numpy as np
import pytest

from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets_tests.images.decoding.decoded import accepted, pixels, refused


def test_empty_and_foreign_contents():
    assert refused(b"") is RejectReason.EMPTY
    for text in (
        b"just words",
        b"BMW is a maker of cars, and this is no bitmap",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>",
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"\x00" * 100,
        b"%PDF-1.7",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
    ):
        assert refused(text) is RejectReason.NOT_AN_IMAGE


def test_an_image_in_an_unlisted_format_is_named(picture, encode):
    assert refused(encode(picture, "ICO")) is RejectReason.UNSUPPORTED_FORMAT
    psd = normalise(b"8BPS\x00\x01" + bytes(40))
    assert isinstance(psd, Reject) and psd.reason is RejectReason.UNSUPPORTED_FORMAT
    assert "PSD; convert it to one of JPEG" in psd.detail


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_every_truncation_is_refused(noise, encode, image_format, options):
    data = encode(noise(1), image_format, **options)
    steps = range(16 if image_format != "BMP" else 30, len(data), len(data) // 40)
    assert {refused(data[:end]) for end in steps} == {RejectReason.TRUNCATED}


def test_a_truncated_tiff_is_refused(noise, encode):
    data = encode(noise(1), "TIFF")
    reasons = {refused(data[:end]) for end in range(8, len(data), len(data) // 40)}
    assert reasons <= {RejectReason.TRUNCATED, RejectReason.CORRUPT}


def test_a_missing_end_marker_is_repaired_when_all_pixels_are_there(picture, encode):
    data = encode(picture)
    image = accepted(data[:-12])  # without IEND
    assert image.data != data[:-12]
    assert np.array_equal(pixels(image), np.asarray(picture))


def test_corrupt_bodies(picture, encode):
    data = bytearray(encode(picture))
    middle = data.index(b"IDAT") + 8
    data[middle : middle + 8] = b"\xff" * 8
    assert refused(bytes(data)) is RejectReason.CORRUPT
    jpeg = encode(picture, "JPEG")
    assert refused(jpeg[:4] + b"\x00" * 400 + b"\xff\xd9") is RejectReason.CORRUPT
