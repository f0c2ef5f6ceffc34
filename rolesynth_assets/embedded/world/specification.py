"""Pictures of the embedded world as text, and their renderer, a stand-in for a text-to-image model.

A drawing instruction of the embedded world ends with one JSON object that describes the picture.
The renderer draws exactly this object, so the truth about a picture can be read from its
instruction.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import numpy as np
from pydantic import TypeAdapter, ValidationError

from rolesynth_assets.embedded.world.figures import BarChart, Shape, draw_chart, draw_shape
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import CANVAS, SIDES, Scene, draw

Picture = Scene | BarChart | Shape
"""A picture that the embedded world can draw."""

LONGEST = 20_000
"""Most characters of an instruction; those of the scripted member have less than a thousand."""

_TYPES = {"scene": Scene, "bar chart": BarChart, "shape": Shape}


class SpecificationError(ValueError):
    """A drawing instruction has no specification, or one that cannot be drawn."""


def specification(picture: Picture) -> str:
    """Return a picture as one line of JSON; `read_specification` reads it back."""
    kind = next(name for name, made in _TYPES.items() if isinstance(picture, made))
    return json.dumps({kind: asdict(picture)})


def read_specification(instruction: str) -> Picture:
    """Read the picture from a drawing instruction that ends with its specification.

    Raises:
        SpecificationError: there is no specification, or it cannot be drawn.
    """
    if len(instruction) > LONGEST:
        raise SpecificationError(
            f"The instruction has {len(instruction)} characters; at most {LONGEST} are read."
        )
    begin = instruction.find("{")
    try:
        found = json.loads(instruction[begin:]) if begin >= 0 else None
    except (ValueError, RecursionError) as error:
        raise SpecificationError(f"The specification is no JSON: {error}.") from None
    if not isinstance(found, dict) or len(found) != 1 or next(iter(found)) not in _TYPES:
        raise SpecificationError(
            f"A specification is one JSON object with one key out of {', '.join(_TYPES)}."
        )
    kind, value = next(iter(found.items()))
    try:
        picture = TypeAdapter(_TYPES[kind]).validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise SpecificationError(f"The {kind}'s {where}: {problem['msg']}.") from None
    _check_drawable(picture)
    return picture


def draw_picture(picture: Picture) -> np.ndarray:
    """Draw a picture: uint8 RGB of shape (224, 224, 3)."""
    if isinstance(picture, Scene):
        return draw(picture)
    return draw_chart(picture) if isinstance(picture, BarChart) else draw_shape(picture)


def draw_specification(instruction: str) -> bytes:
    """Draw what an instruction specifies, as a PNG.

    Raises:
        SpecificationError: see `read_specification`.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(draw_picture(read_specification(instruction))).save(buffer, "PNG")
    return buffer.getvalue()


def _check_drawable(picture: Picture) -> None:
    match picture:
        case Scene():
            fits = 0 < len(picture.objects) <= 16 and 0 < picture.horizon < CANVAS
            for item in picture.objects:
                half = SIDES[item.size] // 2
                fits &= 0 <= item.kind_index < len(KINDS)
                fits &= half <= item.x <= CANVAS - half and half <= item.y <= CANVAS - half
        case BarChart():
            slots = [bar.slot for bar in picture.bars]
            fits = 0 < len(slots) == len(set(slots))
            fits &= all(0 <= b.slot < 4 and 1 <= b.value <= 9 for b in picture.bars)
        case Shape():
            fits = min(picture.half_width, picture.half_height) > 0
            fits &= all(0 <= v <= 255 for v in picture.ground)
            fits &= 0 <= picture.x < CANVAS and 0 <= picture.y < CANVAS
    if not fits:
        raise SpecificationError(f"This cannot be drawn within the canvas: {picture}.")
