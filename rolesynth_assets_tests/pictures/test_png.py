import base64
import io

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.pictures.markdown import image
from rolesynth_assets.pictures.png import MAX_BYTES, encode_png


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_small_picture_is_lossless() -> None:
    picture = noise(100, 80)
    assert opened(encode_png(picture)).convert("RGB").tobytes() == picture.tobytes()


def test_the_worst_picture_fits_by_losing_size_and_keeps_its_shape() -> None:
    png = encode_png(noise(900, 600))
    assert len(png) <= MAX_BYTES
    small = opened(png)
    assert small.width / small.height == pytest.approx(1.5, abs=0.02)
    assert small.width > 400


def test_many_colours_go_before_pixels() -> None:
    y, x = np.mgrid[:500, :900]
    grain = np.random.default_rng(0).integers(0, 4, (500, 900))
    smooth = np.stack([x % 256, y % 256, (x + y + grain) % 256], axis=-1).astype(np.uint8)
    lossless = encode_png(Image.fromarray(smooth), max_bytes=10_000_000)
    bound = len(lossless) - 1
    png = encode_png(Image.fromarray(smooth), max_bytes=bound)
    assert opened(lossless).mode == "RGB"
    assert len(png) <= bound
    assert opened(png).size == (900, 500)
    assert opened(png).mode == "P"


def test_an_impossible_bound_is_an_error() -> None:
    with pytest.raises(ValueError, match="300 x 200 px does not fit into 90 bytes"):
        encode_png(noise(300, 200), max_bytes=90)


def test_markdown_holds_the_very_bytes() -> None:
    png = encode_png(noise(8, 8))
    text = image(png, "loss [roles5]\nseed 0")
    head, data = text.removesuffix(")").split("](data:image/png;base64,")
    assert head == "![loss \\[roles5\\] seed 0"
    assert base64.b64decode(data) == png


def test_markdown_refuses_what_is_no_png_or_too_large() -> None:
    with pytest.raises(ValueError, match="'curve' is no PNG"):
        image(b"\xff\xd8\xff", "curve")
    large = encode_png(noise(8, 8)) + b"0" * MAX_BYTES
    with pytest.raises(ValueError, match="more than the 150000"):
        image(large, "curve")
