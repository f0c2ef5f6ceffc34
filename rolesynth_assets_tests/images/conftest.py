from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Encode = Callable[..., bytes]


@pytest.fixture
def picture() -> Image.Image:
    """64 x 40 pixels with four differently coloured corners, so that a turn shows."""
    pixels = np.zeros((40, 64, 3), dtype=np.uint8)
    pixels[:20, :32] = (200, 10, 20)
    pixels[:20, 32:] = (20, 180, 30)
    pixels[20:, :32] = (30, 40, 220)
    pixels[20:, 32:] = (240, 230, 60)
    return Image.fromarray(pixels)


@pytest.fixture
def noise() -> Callable[[int], Image.Image]:
    """A noisy 48 x 36 image by seed: different bytes for each seed."""

    def make(seed: int) -> Image.Image:
        pixels = np.random.default_rng(seed).integers(0, 256, (36, 48, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    return make


@pytest.fixture
def encode() -> Encode:
    def run(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, format=image_format, **options)  # type: ignore[arg-type]
        return out.getvalue()

    return run
