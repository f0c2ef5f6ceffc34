"""Figures of the embedded world: bar charts and single shapes that are described exactly.

A shape looks like those of the published easy-VQA set: one circle, rectangle or triangle in one of
eight colours on a pale ground. A chart has three or four coloured bars with values of 1 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np

from rolesynth_assets.embedded.world.scenes import CANVAS


class Colour(StrEnum):
    """The eight colours of easy-VQA."""

    BLACK = "black"
    GRAY = "gray"
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    TEAL = "teal"
    BROWN = "brown"
    YELLOW = "yellow"


RGB: dict[Colour, tuple[int, int, int]] = {
    Colour.BLACK: (0, 0, 0),
    Colour.GRAY: (128, 128, 128),
    Colour.RED: (255, 0, 0),
    Colour.GREEN: (0, 255, 0),
    Colour.BLUE: (0, 0, 255),
    Colour.TEAL: (0, 128, 128),
    Colour.BROWN: (165, 42, 42),
    Colour.YELLOW: (255, 255, 0),
}


class Form(StrEnum):
    """The three shapes of easy-VQA."""

    CIRCLE = "circle"
    RECTANGLE = "rectangle"
    TRIANGLE = "triangle"


@dataclass(frozen=True)
class Bar:
    """One bar: its slot (0 to 3 from the left), its colour, and its value of 1 to 9."""

    slot: int
    colour: Colour
    value: int


@dataclass(frozen=True)
class BarChart:
    """Three or four bars from left to right, each of another colour."""

    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Shape:
    """One shape: centre and half sides in px of the 224 px canvas, and the ground's colour."""

    form: Form
    colour: Colour
    x: int
    y: int
    half_width: int
    half_height: int
    ground: tuple[int, int, int]


TALLEST = 9
BASELINE, UNIT = 202, 20  # px row of the value 0, px of one unit
FIRST_SLOT, SLOT, BAR = 49, 50, 34  # px: centre of the first slot, distance, width of a bar


def sample_chart(rng: np.random.Generator) -> BarChart:
    """Return a random chart."""
    count = int(rng.integers(3, 5))
    slots = sorted(rng.choice(4, size=count, replace=False).tolist())
    colours = rng.choice(len(Colour), size=count, replace=False).tolist()
    values = rng.integers(1, TALLEST + 1, size=count).tolist()
    palette = list(Colour)
    return BarChart(
        tuple(Bar(s, palette[c], v) for s, c, v in zip(slots, colours, values, strict=True))
    )


def sample_shape(rng: np.random.Generator) -> Shape:
    """Return a random shape."""
    form = list(Form)[rng.integers(3)]
    colour = list(Colour)[rng.integers(len(Colour))]
    half = int(rng.integers(16, 58))
    width, height = half, half
    if form is Form.RECTANGLE:
        width, height = int(half * 0.85), int(half * rng.uniform(0.5, 1.1))
    x, y = (int(v) for v in rng.integers(half, CANVAS - half, size=2))
    ground = tuple(int(v) for v in rng.integers(230, 256, size=3))
    return Shape(form, colour, x, y, width, height, ground)  # type: ignore[arg-type]


def draw_chart(chart: BarChart) -> np.ndarray:
    """Draw a chart: uint8 RGB of shape (224, 224, 3)."""
    canvas = _axes().copy()
    for bar in chart.bars:
        left = FIRST_SLOT + SLOT * bar.slot - BAR // 2
        canvas[BASELINE - UNIT * bar.value : BASELINE, left : left + BAR] = RGB[bar.colour]
        label = _label(bar.colour)
        at = FIRST_SLOT + SLOT * bar.slot - label.shape[1] // 2
        canvas[BASELINE + 4 : BASELINE + 4 + label.shape[0], at : at + label.shape[1]] = label
    return canvas


def draw_shape(shape: Shape) -> np.ndarray:
    """Draw a shape with smooth edges: uint8 RGB of shape (224, 224, 3)."""
    across = np.arange(CANVAS) + 0.5 - shape.x
    down = (np.arange(CANVAS) + 0.5 - shape.y)[:, None]
    inside = shape.half_width - np.abs(across), shape.half_height - np.abs(down)
    match shape.form:
        case Form.CIRCLE:
            depth = shape.half_width - np.hypot(across, down)
        case Form.RECTANGLE:
            depth = np.minimum(*inside)
        case Form.TRIANGLE:  # with the apex at the top
            slope = (down + shape.half_height) / 2 * shape.half_width / shape.half_height
            depth = np.minimum(slope - np.abs(across), inside[1])
    cover = np.clip(depth + 0.5, 0, 1)[..., None]
    drawn = cover * np.array(RGB[shape.colour]) + (1 - cover) * np.array(shape.ground)
    return np.round(drawn).astype(np.uint8)


@cache
def _axes() -> np.ndarray:
    """Draw the background of a chart: a numbered line for every unit."""
    from PIL import Image, ImageDraw, ImageFont

    paper = Image.new("RGB", (CANVAS, CANVAS), (255, 255, 255))
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    for value in range(TALLEST + 1):
        y = BASELINE - UNIT * value
        pen.line([(18, y), (CANVAS - 4, y)], fill=(90, 90, 90) if value == 0 else (222, 222, 222))
        pen.text((5, y - 7), str(value), fill=(60, 60, 60), font=font)
    return np.asarray(paper)


@cache
def _label(colour: Colour) -> np.ndarray:
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(11)
    width = int(font.getlength(colour.value)) + 2
    label = Image.new("RGB", (min(width, SLOT), 14), (255, 255, 255))
    ImageDraw.Draw(label).text((1, 0), colour.value, fill=(60, 60, 60), font=font)
    return np.asarray(label)
