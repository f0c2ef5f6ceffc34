from __future__ import annotations

import hashlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from rolesynth_assets.images.decoding.decode import DecodeLimits, NormalisedImage, normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets_tests.property_profiles import examples


def accepted(data: bytes, limits: DecodeLimits | None = None) -> NormalisedImage:
    result = normalise(data, limits)
    assert isinstance(result, NormalisedImage), result
    return result


def refused(data: bytes, limits: DecodeLimits | None = None) -> RejectReason:
    result = normalise(data, limits)
    assert isinstance(result, Reject), result
    assert result.detail
    return result.reason


def pixels(image: NormalisedImage) -> np.ndarray:
    with Image.open(io.BytesIO(image.data)) as opened:
        assert opened.mode == "RGB"
        assert opened.size == (image.width, image.height)
        assert Image.MIME[opened.format or ""] == image.media_type
        return np.asarray(opened)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")


def png_file(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


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
    upright = {  # EXIF 2.3: where the stored row 0 and column 0 stand
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


def test_a_multi_picture_jpeg_gives_its_first_picture(picture, noise, encode):
    data = encode(picture, "MPO", save_all=True, append_images=[noise(2)], quality=100)
    image = accepted(data)
    assert image.media_type == "image/jpeg"
    assert (image.width, image.height) == (64, 40)
    with Image.open(io.BytesIO(image.data)) as opened:
        assert np.asarray(opened)[2, 2] == pytest.approx(np.asarray(picture)[2, 2], abs=5)


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
