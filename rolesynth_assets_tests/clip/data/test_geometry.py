"""Pillow's own steps give the pixels of torchvision's transform."""

import io
from typing import Any

import numpy as np
import pytest
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torchvision.transforms import Compose

from rolesynth_assets.clip.data.geometry import UNREADABLE, Geometry, decode

SHAPES = [(512, 384), (384, 512), (301, 300), (33, 97), (24, 24), (25, 24), (20, 31), (1, 90)]


def steps_of(**config):
    transform: Any = image_transform_v2(PreprocessCfg(**config), is_train=False)
    return transform.transforms[:-2]


def noise(wide: int, high: int) -> Image.Image:
    pixels = np.random.default_rng(wide * high).integers(0, 256, (high, wide, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "config",
    [
        {"size": 24},
        {"size": 24, "interpolation": "bilinear"},
        {"size": 24, "resize_mode": "squash"},
        {"size": (24, 30), "resize_mode": "squash"},
    ],
)
def test_the_pixels_are_those_of_the_transform(config):
    steps = steps_of(**config)
    geometry = Geometry.of(steps)
    assert geometry is not None
    there = Geometry.parse(geometry.text)  # as a worker gets it
    for shape in SHAPES:
        wanted = np.asarray(Compose(steps)(noise(*shape)))
        assert np.array_equal(np.asarray(there(noise(*shape))), wanted), shape


@pytest.mark.parametrize(
    "config",
    [{"size": 24, "resize_mode": "longest"}, {"size": (24, 30)}],
)
def test_other_transforms_are_left_to_torchvision(config):
    assert Geometry.of(steps_of(**config)) is None


def test_a_damaged_file_is_refused():
    buffer = io.BytesIO()
    noise(40, 30).save(buffer, "JPEG")
    geometry = Geometry.of(steps_of(size=24))
    assert len(decode(buffer.getvalue(), geometry)) == 24 * 24 * 3
    for broken in (buffer.getvalue()[:200], b"", b"\xff\xd8\xff", b"text"):
        with pytest.raises(UNREADABLE):
            decode(broken, geometry)
