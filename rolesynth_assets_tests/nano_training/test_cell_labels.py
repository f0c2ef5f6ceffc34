import numpy as np

from rolesynth_assets.embedded.world.figures import Bar, BarChart, Colour, Form, Shape
from rolesynth_assets.embedded.world.scenes import Size
from rolesynth_assets.nano_training.cell_labels import (
    CELLS,
    LARGE,
    NO_COLOUR,
    NOTHING,
    POSITIONS,
    SMALL,
    WORDS,
    cell_labels,
    shown_in_grid,
)
from rolesynth_assets_tests.embedded.small_scenes import CELLS as PLACES
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

WORLD = scene(thing("dog", "top left"), thing("apple", "bottom right", Size.LARGE))
# cells of 56 px; the dog spans 19-81, the apple 125-223 in both directions
DOG, APPLE, BEACH = WORDS.index("dog"), WORDS.index("apple"), WORDS.index("beach")
CHART = BarChart((Bar(0, Colour.RED, 9), Bar(2, Colour.BLUE, 1)))
SQUARE = Shape(Form.RECTANGLE, Colour.TEAL, 84, 140, 20, 20, (250, 250, 250))


def test_cells_show_the_object_that_covers_them():
    shown = shown_in_grid(WORLD, CELLS)
    assert shown[0, 0] == DOG
    assert shown[1, 1] == BEACH  # a fifth of the cell at (25 / 56) squared = 0.1993 is not reached
    assert (shown[2:, 2:] == APPLE).all()
    assert shown[0, 3] == shown[3, 0] == BEACH
    assert set(np.unique(shown)) == {DOG, APPLE, BEACH}


def test_centres_carry_the_size():
    labels = cell_labels(WORLD).centre.reshape(CELLS, CELLS)
    assert labels[0, 0] == SMALL
    assert labels[3, 3] == LARGE
    assert (labels != NOTHING).sum() == 2


def test_positions_are_those_the_captions_name():
    assert set(POSITIONS) == set(PLACES)
    labels = cell_labels(WORLD).position
    named = {cell: POSITIONS[label] for cell, label in enumerate(labels) if label < len(POSITIONS)}
    assert named == {0: "top left", 15: "bottom right"}


def test_a_scene_has_no_coloured_cells():
    labels = cell_labels(WORLD)
    assert set(labels.colour) == {NO_COLOUR}
    assert set(labels.value) == {0}


def test_every_cell_of_a_bar_carries_its_colour_and_value():
    labels = cell_labels(CHART)
    shown, colour, value = (
        part.reshape(CELLS, CELLS) for part in (labels.shown, labels.colour, labels.value)
    )
    red, blue = (list(Colour).index(c) for c in (Colour.RED, Colour.BLUE))
    assert (shown[:, 0] == WORDS.index("bar")).all()  # the bar of 9 reaches from 22 to 202 px
    assert (colour[:, 0] == red).all()
    assert (value[:, 0] == 9).all()
    assert shown[3, 2] == WORDS.index("bar")
    assert (colour[3, 2], value[3, 2]) == (blue, 1)
    assert shown[1, 2] == shown[0, 3] == WORDS.index("paper")


def test_a_shape_is_found_where_it_stands():
    labels = cell_labels(SQUARE)
    cells = np.flatnonzero(labels.shown == WORDS.index("rectangle")).tolist()
    assert cells == [9]  # 64-104 px across and 120-160 px down: the second cell of the third row
    assert labels.colour[9] == list(Colour).index(Colour.TEAL)
