"""Bombs and bounds: each is refused with its reason, before anything is decoded."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image, ImageFile

from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets_tests.images.decoding.decoded import accepted, png_chunk, png_file, refused


def webp_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(4) + size + bytes(64)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def bombs() -> dict[str, bytes]:
    pixels_idat = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x00\x00\x00"
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\x00\x02\x02L\x01\x00;"
    dib = struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)
    tags = [(256, 60000), (257, 60000), (258, 8), (259, 1), (262, 1), (273, 8), (279, 100)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(200)
    return {
        "PNG": png_file(60000, 60000, pixels_idat),
        "PNG above Pillow's own limit": png_file(15000, 15000, pixels_idat),
        "GIF": gif + frame,
        "BMP": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + dib,
        "TIFF": tiff,
        "WEBP": webp_header(16000, 16000),
    }


@pytest.mark.parametrize("name", list(bombs()))
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_pixel_bomb_is_refused_before_decoding(name, monkeypatch):
    def load(self: object) -> None:
        raise AssertionError("decoded a bomb")  # would come back as `corrupt`

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert refused(bombs()[name]) is RejectReason.TOO_MANY_PIXELS


def test_a_webp_bomb_never_reaches_the_library(monkeypatch):
    opened = []
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: opened.append(args))
    assert refused(webp_header(16000, 16000)) is RejectReason.TOO_MANY_PIXELS
    assert not opened


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\x00\x00"}])
def test_webp_header_agrees_with_the_decoder(picture, encode, options):
    limits = DecodeLimits(max_pixels=64 * 40 - 1)  # refused by the header alone
    assert refused(encode(picture, "WEBP", **options), limits) is RejectReason.TOO_MANY_PIXELS
    exact = DecodeLimits(max_pixels=64 * 40)
    assert accepted(encode(picture, "WEBP", **options), exact).width == 64


def test_each_bound_has_its_reason(picture, encode):
    data = encode(picture)
    assert refused(data, DecodeLimits(max_bytes=len(data) - 1)) is RejectReason.TOO_MANY_BYTES
    assert refused(data, DecodeLimits(max_side=63)) is RejectReason.SIDE_TOO_LONG
    assert refused(data, DecodeLimits(min_side=41)) is RejectReason.SIDE_TOO_SHORT
    assert refused(data, DecodeLimits(max_elongation=1.5)) is RejectReason.TOO_ELONGATED
    exact = DecodeLimits(
        max_bytes=len(data), max_pixels=64 * 40, max_side=64, min_side=40, max_elongation=1.6
    )
    assert accepted(data, exact).width == 64


def test_a_jpeg_of_endless_scans_is_refused(picture, encode):
    data = encode(picture, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert accepted(data[:-2] + scan * 3 + b"\xff\xd9").width == 64
    assert refused(data[:-2] + scan * 200 + b"\xff\xd9") is RejectReason.TOO_MANY_SCANS


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_text_chunk_bomb_is_refused(where):
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    text = png_chunk(b"zTXt", b"Comment\x00\x00" + bomb)
    body = png_chunk(b"IDAT", zlib.compress((b"\x00" + bytes(64 * 3)) * 40))
    chunks = (text, body) if where == "before" else (body, text)
    assert refused(png_file(64, 40, *chunks)) is RejectReason.METADATA_BOMB


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_refused(noise, encode, image_format):
    data = encode(noise(1), image_format, save_all=True, append_images=[noise(2), noise(3)])
    assert refused(data) is RejectReason.ANIMATED
