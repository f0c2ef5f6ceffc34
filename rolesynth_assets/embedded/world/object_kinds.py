"""The object kinds of the embedded world: OpenMoji glyphs that can be distinguished at 112 px."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """The sort of thing that an object kind is; it decides the wording of contextual captions."""

    ANIMAL = "animal"
    FOOD = "food"
    VEHICLE = "vehicle"
    NATURE = "nature"
    PLAY = "play"
    HOME = "home"


@dataclass(frozen=True)
class ObjectKind:
    """One object kind.

    Attributes:
        glyph: the Unicode character whose OpenMoji artwork is drawn.
        noun: singular noun used by the caption grammars.
        plural: plural noun.
        category: the sort of thing it is.
        colour: the colour word that fits the artwork best.
    """

    glyph: str
    noun: str
    plural: str
    category: Category
    colour: str


def _kind(glyph: str, noun: str, colour: str, category: Category, plural: str = "") -> ObjectKind:
    return ObjectKind(glyph, noun, plural or noun + "s", category, colour)


_A, _F, _V = Category.ANIMAL, Category.FOOD, Category.VEHICLE
_N, _P, _H = Category.NATURE, Category.PLAY, Category.HOME

KINDS: tuple[ObjectKind, ...] = (
    _kind("🐶", "dog", "brown", _A),
    _kind("🐸", "frog", "green", _A),
    _kind("🐷", "pig", "pink", _A),
    _kind("🐼", "panda", "white", _A),
    _kind("🦊", "fox", "orange", _A, "foxes"),
    _kind("🐤", "chick", "yellow", _A),
    _kind("🐙", "octopus", "red", _A, "octopuses"),
    _kind("🐳", "whale", "blue", _A),
    _kind("🐢", "turtle", "green", _A),
    _kind("🦋", "butterfly", "blue", _A, "butterflies"),
    _kind("🐘", "elephant", "grey", _A),
    _kind("🍎", "apple", "red", _F),
    _kind("🍌", "banana", "yellow", _F),
    _kind("🍇", "grape", "purple", _F),
    _kind("🍓", "strawberry", "red", _F, "strawberries"),
    _kind("🍉", "melon", "red", _F),
    _kind("🥕", "carrot", "orange", _F),
    _kind("🍕", "pizza", "yellow", _F),
    _kind("🍔", "burger", "brown", _F),
    _kind("🍩", "donut", "orange", _F),
    _kind("🍆", "eggplant", "purple", _F),
    _kind("🚗", "car", "red", _V),
    _kind("🚲", "bicycle", "red", _V),
    _kind("🚜", "tractor", "green", _V),
    _kind("⛵", "boat", "white", _V),
    _kind("🚀", "rocket", "red", _V),
    _kind("🌳", "tree", "green", _N),
    _kind("🌵", "cactus", "green", _N, "cacti"),
    _kind("🌻", "sunflower", "yellow", _N),
    _kind("🍄", "mushroom", "red", _N),
    _kind("🌈", "rainbow", "colourful", _N),
    _kind("⛄", "snowman", "white", _N, "snowmen"),
    _kind("🌙", "moon", "yellow", _N),
    _kind("⭐", "star", "yellow", _N),
    _kind("🔥", "fire", "orange", _N),
    _kind("⚽", "football", "white", _P),
    _kind("🏀", "basketball", "orange", _P),
    _kind("🎈", "balloon", "red", _P),
    _kind("🎸", "guitar", "red", _P),
    _kind("🎲", "dice", "grey", _P, "dice cubes"),
    _kind("🎁", "gift", "yellow", _P),
    _kind("☂️", "umbrella", "purple", _H),
    _kind("👓", "glasses", "grey", _H, "pairs of glasses"),
    _kind("🔑", "key", "yellow", _H),
    _kind("✂️", "scissors", "red", _H, "pairs of scissors"),
    _kind("📕", "book", "red", _H),
    _kind("🕰️", "clock", "brown", _H),
    _kind("🪑", "chair", "yellow", _H),
    _kind("👕", "shirt", "blue", _H),
    _kind("👑", "crown", "yellow", _H),
)
"""Fifty kinds; the order is part of the world's seed."""
