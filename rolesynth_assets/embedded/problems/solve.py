"""The true answers to the questions of `pose`, computed from a picture's description.

Only evaluation and training use them: no engine and no member of a collective sees a description.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rolesynth_assets.embedded.world.figures import BarChart, Colour, Form, Shape
from rolesynth_assets.embedded.world.object_kinds import KINDS, ObjectKind
from rolesynth_assets.embedded.world.scenes import Scene, SceneObject
from rolesynth_assets.embedded.world.specification import (
    Picture,
    SpecificationError,
    read_specification,
)

_KIND_OF = {word: kind for kind in KINDS for word in (kind.noun, kind.plural)}
OPTION = re.compile(r"^([A-D])\. (.+)$", re.MULTILINE)
"""One line of the options of a multiple-choice question: letter and text."""


@dataclass(frozen=True)
class Solution:
    """The true answer to a question, and the observation that leads to it."""

    answer: str
    reasoning: str


def solve(question: str, picture: Picture) -> Solution | None:
    """Compute the true answer of a question in one of the known forms; None for any other.

    For a question with options, the answer is the letter of the right option, and the result is
    None if no option is right.
    """
    asked = question.split("\n", 1)[0].strip()
    found = None
    for pattern, answer in _FORMS:
        match = pattern.fullmatch(asked)
        if match:
            found = answer(picture, *match.groups())
            break
    if found is None:
        return None
    options = OPTION.findall(question)
    if not options:
        return found
    letters = [letter for letter, text in options if text.strip() == found.answer]
    return Solution(letters[0], found.reasoning) if letters else None


def true_answer(instruction: str, question: str) -> str | None:
    """Compute the true answer from the specification in a drawing instruction.

    Returns:
        For a question with options the letter of the right option, or the answer in words if no
        option is right. None if the instruction has no specification or the question has none of
        the known forms.
    """
    try:
        picture = read_specification(instruction)
    except SpecificationError:
        return None
    solution = solve(question, picture) or solve(question.split("\n", 1)[0], picture)
    return solution.answer if solution else None


def counts(scene: Scene) -> Counter[ObjectKind]:
    """Count the objects of a scene by kind."""
    return Counter(item.kind for item in scene.objects)


def _single(scene: Picture, noun: str) -> SceneObject | None:
    """Return the only object of its kind; None if there is none or several."""
    if not isinstance(scene, Scene):
        return None
    items = [item for item in scene.objects if item.kind is _KIND_OF.get(noun)]
    return items[0] if len(items) == 1 else None


def _presence(picture: Picture, noun: str) -> Solution | None:
    kind = _KIND_OF.get(noun)
    if not isinstance(picture, Scene) or kind is None:
        return None
    count = counts(picture)[kind]
    seen = f"There is no {noun}." if not count else f"There is a {noun}."
    return Solution("yes" if count else "no", seen)


def _total(picture: Picture) -> Solution | None:
    if not isinstance(picture, Scene):
        return None
    count = len(picture.objects)
    return Solution(str(count), f"There are {count} objects.")


def _how_many(picture: Picture, plural: str) -> Solution | None:
    kind = _KIND_OF.get(plural)
    if not isinstance(picture, Scene) or kind is None:
        return None
    count = counts(picture)[kind]
    return Solution(str(count), f"I see {count} {plural}.")


def _size(picture: Picture, noun: str) -> Solution | None:
    item = _single(picture, noun)
    return Solution(str(item.size), f"The {noun} is {item.size}.") if item else None


def _place(picture: Picture, noun: str) -> Solution | None:
    item = _single(picture, noun)
    return Solution(item.position, f"The {noun} is at the {item.position}.") if item else None


def _beside(picture: Picture, one: str, words: str, two: str) -> Solution | None:
    first, second = _single(picture, one), _single(picture, two)
    if first is None or second is None:
        return None
    across = words == "left or right of"
    before = first.x < second.x if across else first.y < second.y
    answer = ("left" if before else "right") if across else ("above" if before else "below")
    seen = f"The {one} is at the {first.position} and the {two} at the {second.position}."
    return Solution(answer, seen)


def _leaving(picture: Picture, noun: str) -> Solution | None:
    kind = _KIND_OF.get(noun)
    if not isinstance(picture, Scene) or not counts(picture)[kind or KINDS[0]] or kind is None:
        return None
    count = len(picture.objects)
    return Solution(str(count - 1), f"There are {count} objects, less one.")


def _others(picture: Picture, plural: str) -> Solution | None:
    kind = _KIND_OF.get(plural)
    if not isinstance(picture, Scene) or kind is None:
        return None
    count, total = counts(picture)[kind], len(picture.objects)
    return Solution(str(total - count), f"There are {total} objects and {count} {plural}.")


def _together(picture: Picture, one: str, two: str) -> Solution | None:
    return _combined(picture, one, two, lambda a, b: a + b)


def _more(picture: Picture, one: str, two: str) -> Solution | None:
    return _combined(picture, one, two, lambda a, b: a - b)


def _combined(
    picture: Picture, one: str, two: str, combine: Callable[[int, int], int]
) -> Solution | None:
    first, second = _how_many(picture, one), _how_many(picture, two)
    if first is None or second is None:
        return None
    value = combine(int(first.answer), int(second.answer))
    return Solution(str(value), f"I see {first.answer} {one} and {second.answer} {two}.")


def _bars(picture: Picture) -> Solution | None:
    if not isinstance(picture, BarChart):
        return None
    return Solution(str(len(picture.bars)), f"There are {len(picture.bars)} bars.")


def _value(picture: Picture, colour: str) -> Solution | None:
    bars = picture.bars if isinstance(picture, BarChart) else ()
    values = [bar.value for bar in bars if bar.colour == colour]
    return Solution(str(values[0]), f"The {colour} bar is {values[0]}.") if values else None


def _extreme(picture: Picture, which: str) -> Solution | None:
    if not isinstance(picture, BarChart):
        return None
    value = (max if which == "tallest" else min)(bar.value for bar in picture.bars)
    bars = [bar for bar in picture.bars if bar.value == value]
    if len(bars) != 1:
        return None
    return Solution(str(bars[0].colour), f"The {bars[0].colour} bar is {value}.")


def _of_two_bars(
    picture: Picture, one: str, two: str, combine: Callable[[int, int], int]
) -> Solution | None:
    first, second = _value(picture, one), _value(picture, two)
    if first is None or second is None:
        return None
    value = combine(int(first.answer), int(second.answer))
    seen = f"The {one} bar is {first.answer} and the {two} bar is {second.answer}."
    return Solution(str(value), seen)


def _shape_form(picture: Picture, *_: str) -> Solution | None:
    if not isinstance(picture, Shape):
        return None
    return Solution(str(picture.form), f"It is a {picture.colour} {picture.form}.")


def _shape_colour(picture: Picture, *_: str) -> Solution | None:
    if not isinstance(picture, Shape):
        return None
    return Solution(str(picture.colour), f"It is a {picture.colour} {picture.form}.")


def _shape_is(picture: Picture, *groups: str | None) -> Solution | None:
    if not isinstance(picture, Shape):
        return None
    denied, (colour, form) = "not" in groups or "no" in groups, groups[-2:]
    there = picture.form == form if form else picture.colour == colour
    answer = "yes" if there != denied else "no"
    return Solution(answer, f"It is a {picture.colour} {picture.form}.")


_NOUN = "(" + "|".join(sorted(map(re.escape, _KIND_OF), key=len, reverse=True)) + ")"
_COLOUR, _FORM = f"({'|'.join(Colour)})", f"({'|'.join(Form)})"
_THING = rf"(?:{_COLOUR} shape|{_FORM})"


def _form(pattern: str, answer: Callable[..., Solution | None]) -> tuple[re.Pattern[str], Callable]:
    return re.compile(pattern, re.IGNORECASE), answer


_FORMS: tuple[tuple[re.Pattern[str], Callable[..., Solution | None]], ...] = (
    _form(rf"Is there a {_NOUN} in the image\?", _presence),
    _form(r"How many objects are there\?", _total),
    _form(r"How many bars are there\?", _bars),
    _form(rf"How many {_NOUN} are there\?", _how_many),
    _form(rf"What size is the {_NOUN}\?", _size),
    _form(rf"Where is the {_NOUN}\?", _place),
    _form(rf"Is the {_NOUN} (left or right of|above or below) the {_NOUN}\?", _beside),
    _form(rf"How many objects are left if one {_NOUN} goes away\?", _leaving),
    _form(rf"How many objects are not {_NOUN}\?", _others),
    _form(rf"How many {_NOUN} and {_NOUN} are there together\?", _together),
    _form(rf"How many more {_NOUN} than {_NOUN} are there\?", _more),
    _form(rf"What is the value of the {_COLOUR} bar\?", _value),
    _form(r"Which bar is the (tallest|shortest)\?", _extreme),
    _form(
        rf"How much higher is the {_COLOUR} bar than the {_COLOUR} bar\?",
        lambda p, a, b: _of_two_bars(p, a, b, lambda x, y: x - y),
    ),
    _form(
        rf"What is the sum of the {_COLOUR} bar and the {_COLOUR} bar\?",
        lambda p, a, b: _of_two_bars(p, a, b, lambda x, y: x + y),
    ),
    _form(r"what shape (?:is in the image|does the image contain|is present)\?", _shape_form),
    _form(rf"what is the {_COLOUR} shape\?", _shape_form),
    _form(rf"what (?:color is|is the color of) the (?:shape|{_FORM})\?", _shape_colour),
    _form(
        rf"is there (not )?a {_THING}(?: in the image)?\?",
        lambda p, *g: _shape_is(p, g[0] and "not", *g[1:]),
    ),
    _form(rf"is (a|no) {_THING} present\?", _shape_is),
    _form(
        rf"does the image (not )?contain a {_THING}\?",
        lambda p, *g: _shape_is(p, g[0] and "not", *g[1:]),
    ),
)
