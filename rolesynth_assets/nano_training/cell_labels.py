"""Dense labels of the embedded world's pictures: the content of each cell.

They train the vision tower, and they are the attention targets of the language model.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np

from rolesynth_assets.embedded.nano.architecture import GRID, IMAGE_TOKENS, MERGE
from rolesynth_assets.embedded.world.figures import (
    BAR,
    BASELINE,
    FIRST_SLOT,
    SLOT,
    UNIT,
    BarChart,
    Colour,
    Form,
    Shape,
)
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import (
    CANVAS,
    POSITIONS,
    SIDES,
    Background,
    Scene,
    Size,
    position_word,
)
from rolesynth_assets.embedded.world.specification import Picture

CELLS = GRID // MERGE
WORDS: tuple[str, ...] = (
    *(kind.noun for kind in KINDS),
    *Form,
    "bar",
    *Background,
    "paper",
)
"""Possible contents of a cell: object kinds, shapes and a bar, then backgrounds and paper."""
THINGS = WORDS.index("bar") + 1
"""The first `THINGS` of `WORDS` are things."""
NO_COLOUR = len(Colour)
NOTHING, SMALL, LARGE = 0, 1, 2
NO_POSITION = len(POSITIONS)

Array = TypeVar("Array")


class CellLabels(NamedTuple, Generic[Array]):
    """Labels of the 16 merged cells, row by row, each int (16,), or of n pictures (16 n,).

    Attributes:
        shown: index into `WORDS`.
        colour: index into `Colour` for the cells of a figure, else `NO_COLOUR`.
        value: value of the bar of which the cell shows a part, else 0.
        centre: size of the object or shape whose centre lies in the cell, `SMALL` or `LARGE`, else
            `NOTHING`.
        position: index into `POSITIONS` of the thing centred in the cell, else `NO_POSITION`.
    """

    shown: Array
    colour: Array
    value: Array
    centre: Array
    position: Array


def cell_labels(picture: Picture) -> CellLabels[np.ndarray]:
    """Label the merged cells of a picture."""
    shown, owner = _owners(picture, CELLS)
    colour, value = (np.full(IMAGE_TOKENS, none) for none in (NO_COLOUR, 0))
    centre, position = np.full(IMAGE_TOKENS, NOTHING), np.full(IMAGE_TOKENS, NO_POSITION)
    palette, number_of = list(Colour), owner.ravel()
    if isinstance(picture, BarChart):
        for number, bar in enumerate(picture.bars):
            colour[number_of == number] = palette.index(bar.colour)
            value[number_of == number] = bar.value
    elif isinstance(picture, Shape):
        colour[number_of == 0] = palette.index(picture.colour)
    for x, y, large in _centred(picture):
        cell = y // (CANVAS // CELLS) * CELLS + x // (CANVAS // CELLS)
        centre[cell] = LARGE if large else SMALL
        position[cell] = POSITIONS.index(position_word(x, y))
    return CellLabels(shown.ravel(), colour, value, centre, position)


def shown_in_grid(picture: Picture, grid: int) -> np.ndarray:
    """Return the content of each cell of a ``grid x grid`` as indices into `WORDS`.

    A cell of a scene shows the thing that covers most of it, if that is more than a fifth of the
    cell, else the background. For a figure the bound is 12 %, and a figure that reaches it nowhere
    gets the cells of which it covers most.

    Returns:
        Integers of shape (grid, grid).
    """
    return _owners(picture, grid)[0]


def _centred(picture: Picture) -> list[tuple[int, int, bool]]:
    """Return the centres in px of objects and shapes, and whether each is large."""
    if isinstance(picture, Scene):
        return [(o.x, o.y, o.size is Size.LARGE) for o in picture.objects]
    if isinstance(picture, Shape):
        return [(picture.x, picture.y, picture.half_width > 36)]
    return []


def _owners(picture: Picture, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the content of each cell and the number of its box (-1: none), both (grid, grid)."""
    cell = CANVAS / grid
    edges = np.arange(grid) * cell
    ground = picture.background if isinstance(picture, Scene) else "paper"
    shown = np.full((grid, grid), WORDS.index(ground))
    owner = np.full((grid, grid), -1)
    # a thin bar or a small shape may cover no cell enough: it gets the cells it covers most
    best = np.full((grid, grid), 0.2 if isinstance(picture, Scene) else 0.12)
    for number, (word, left, top, right, bottom) in enumerate(_boxes(picture)):
        across = np.clip(np.minimum(edges + cell, right) - np.maximum(edges, left), 0, None)
        down = np.clip(np.minimum(edges + cell, bottom) - np.maximum(edges, top), 0, None)
        share = np.outer(down, across) / cell**2
        taken = share > best
        if not isinstance(picture, Scene) and not taken.any():
            taken = share == share.max()
        shown[taken], owner[taken] = WORDS.index(word), number
        best = np.maximum(best, share)
    return shown, owner


def _boxes(picture: Picture) -> list[tuple[str, int, int, int, int]]:
    """Return the word and the bounding box (left, top, right, bottom in px) of each thing."""
    if isinstance(picture, Scene):
        return [
            (o.kind.noun, o.x - half, o.y - half, o.x + half, o.y + half)
            for o in picture.objects
            for half in (SIDES[o.size] // 2,)
        ]
    if isinstance(picture, BarChart):
        lefts = [FIRST_SLOT + SLOT * bar.slot - BAR // 2 for bar in picture.bars]
        return [
            ("bar", left, BASELINE - UNIT * bar.value, left + BAR, BASELINE)
            for left, bar in zip(lefts, picture.bars, strict=True)
        ]
    wide, high = picture.half_width, picture.half_height
    box = (picture.x - wide, picture.y - high, picture.x + wide, picture.y + high)
    return [(str(picture.form), *box)]
