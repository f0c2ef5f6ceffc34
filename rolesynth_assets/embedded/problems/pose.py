"""Problems about pictures of the embedded world, their true answers, and held-out sets of them.

Every question has one of a few fixed forms. `solve` reads them and computes the answer from the
picture's exact description, so a program can verify the references of the embedded world.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rolesynth_assets.embedded.problems.solve import OPTION, Solution, counts, solve
from rolesynth_assets.embedded.world.figures import (
    BarChart,
    Colour,
    Form,
    Shape,
    sample_chart,
    sample_shape,
)
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import POSITIONS, Background, Scene, Size, sample_scene
from rolesynth_assets.embedded.world.specification import Picture, draw_picture


class Domain(StrEnum):
    """The subjects of the embedded world's problems."""

    COUNTING = "counting"
    SPATIAL = "spatial"
    ARITHMETIC = "arithmetic"
    BAR_CHARTS = "bar_charts"
    EASY_VQA = "easy_vqa"


@dataclass(frozen=True)
class ProblemItem:
    """A problem with its picture: encoded image, question, true answer."""

    image: bytes
    question: str
    answer: str

    @property
    def task_type(self) -> str:
        """``MCQ`` or ``Open-ended``."""
        return "MCQ" if OPTION.search(self.question) else "Open-ended"


@dataclass(frozen=True)
class Posed:
    """A question about a picture, its true answer, and the solution behind it."""

    question: str
    answer: str
    solution: Solution


def sample_picture(domain: Domain, seed: int, index: int) -> Picture:
    """Return picture ``index`` of world ``seed`` that fits a domain."""
    if domain is Domain.BAR_CHARTS:
        return sample_chart(np.random.default_rng([seed, index, 1]))
    if domain is Domain.EASY_VQA:
        return sample_shape(np.random.default_rng([seed, index, 2]))
    return sample_scene(seed, index)


def questions(domain: Domain, picture: Picture, rng: random.Random) -> list[str]:
    """Return one question of every form that the domain has for this picture, easy forms first."""
    match domain, picture:
        case Domain.COUNTING, Scene():
            return _counting(picture, rng)
        case Domain.SPATIAL, Scene():
            return _spatial(picture, rng)
        case Domain.ARITHMETIC, Scene():
            return _arithmetic(picture, rng)
        case Domain.BAR_CHARTS, BarChart():
            return _charts(picture, rng)
        case Domain.EASY_VQA, Shape():
            return _shapes(picture, rng)
    raise ValueError(f"{domain} has no question about a {type(picture).__name__}.")


def with_options(question: str, answer: str, rng: random.Random) -> tuple[str, str]:
    """Turn an open problem into a multiple-choice one: the question with options A-D, the letter.

    An answer with fewer than three alternatives leaves the problem open.
    """
    wrong = [w for w in alternatives(answer) if w != answer]
    if len(wrong) < 3:  # such as yes or no, left or right
        return question, answer
    options = [answer, *rng.sample(wrong, 3)]
    rng.shuffle(options)
    lines = "\n".join(f"{letter}. {o}" for letter, o in zip("ABCD", options, strict=True))
    return f"{question}\n{lines}", "ABCD"[options.index(answer)]


def pose(domain: Domain, picture: Picture, rng: random.Random, options: float) -> Posed:
    """Ask one of the domain's questions about a picture, sometimes with options A-D.

    Args:
        domain: subject of the question.
        picture: a picture that fits the domain.
        rng: source of the random choices.
        options: share of the questions with options, among those that can have them.
    """
    question = rng.choice(questions(domain, picture, rng))
    solution = solve(question, picture)
    assert solution is not None, question
    answer = solution.answer
    if rng.random() < options:
        question, answer = with_options(question, answer, rng)
    return Posed(question, answer, solution)


def sample_problem(
    domain: Domain, seed: int, index: int, rng: random.Random, options: float
) -> ProblemItem:
    """Return a problem about picture ``index`` of world ``seed``; see `pose`."""
    from rolesynth_assets.embedded.world.scenes import encode

    picture = sample_picture(domain, seed, index)
    posed = pose(domain, picture, rng, options)
    return ProblemItem(encode(draw_picture(picture)), posed.question, posed.answer)


def held_out(domain: str, count: int, seed: int) -> list[ProblemItem]:
    """Return held-out problems of a domain, a third of them multiple choice.

    Their pictures are in no training set and in no seed: their indices begin at 3 x 10^9.
    """
    rng = random.Random(f"held out {domain} {seed}")
    indices = range(3_000_000_000, 3_000_000_000 + count)
    return [sample_problem(Domain(domain), seed, index, rng, 1 / 3) for index in indices]


def alternatives(answer: str) -> Sequence[str]:
    """Return plausible answers, the given one included: nearby numbers, or words of its sort."""
    if answer.isdigit():
        return [str(n) for n in range(max(0, int(answer) - 3), int(answer) + 4)]
    for words in _SORTS:
        if answer in tuple(map(str, words)):
            return list(map(str, words))
    return [answer]


_SORTS = (
    POSITIONS,
    tuple(Colour),
    tuple(Background),
    tuple(Form),
    tuple(Size),
    ("yes", "no"),
    ("above", "below"),
)


def _counting(scene: Scene, rng: random.Random) -> list[str]:
    there = counts(scene)
    absent = rng.choice([kind for kind in KINDS if kind not in there])
    kind = rng.choice(list(there))
    asked = kind if rng.random() < 0.7 else absent
    return [
        f"Is there a {rng.choice((kind, absent)).noun} in the image?",
        "How many objects are there?",
        f"How many {there.most_common(1)[0][0].plural} are there?",
        f"How many {asked.plural} are there?",
    ]


def _spatial(scene: Scene, rng: random.Random) -> list[str]:
    singles = [kind for kind, n in counts(scene).items() if n == 1]
    if not singles:
        return [_counting(scene, rng)[0]]
    kind = rng.choice(singles)
    forms = [f"What size is the {kind.noun}?", f"Where is the {kind.noun}?"]
    if len(singles) > 1:
        one, two = rng.sample(singles, 2)
        forms.append(f"Is the {one.noun} left or right of the {two.noun}?")
        forms.append(f"Is the {one.noun} above or below the {two.noun}?")
    return forms


def _arithmetic(scene: Scene, rng: random.Random) -> list[str]:
    there = counts(scene)
    kind = rng.choice(list(there))
    forms = [
        f"How many objects are left if one {kind.noun} goes away?",
        f"How many objects are not {kind.plural}?",
    ]
    if len(there) > 1:
        one, two = rng.sample(list(there), 2)
        forms.append(f"How many {one.plural} and {two.plural} are there together?")
        more, fewer = (one, two) if there[one] >= there[two] else (two, one)
        forms.append(f"How many more {more.plural} than {fewer.plural} are there?")
    return forms


def _charts(chart: BarChart, rng: random.Random) -> list[str]:
    one, two = rng.sample(chart.bars, 2)
    high, low = (one, two) if one.value >= two.value else (two, one)
    values = [bar.value for bar in chart.bars]
    forms = ["How many bars are there?", f"What is the value of the {one.colour} bar?"]
    if values.count(max(values)) == 1:
        forms.append("Which bar is the tallest?")
    if values.count(min(values)) == 1:
        forms.append("Which bar is the shortest?")
    forms.append(f"How much higher is the {high.colour} bar than the {low.colour} bar?")
    forms.append(f"What is the sum of the {one.colour} bar and the {two.colour} bar?")
    return forms


def _shapes(shape: Shape, rng: random.Random) -> list[str]:
    """The question forms of easy-VQA."""
    there = rng.random() < 0.5
    form = shape.form if there else rng.choice([f for f in Form if f is not shape.form])
    colour = shape.colour if there else rng.choice([c for c in Colour if c is not shape.colour])
    thing = rng.choice((f"{form}", f"{colour} shape"))
    return [
        rng.choice(("what shape is in the image?", "what shape does the image contain?",
                    "what shape is present?")),
        rng.choice(("what color is the shape?", "what is the color of the shape?",
                    f"what color is the {shape.form}?", f"what is the color of the {shape.form}?")),
        f"what is the {shape.colour} shape?",
        rng.choice((f"is there a {thing}?", f"is a {thing} present?",
                    f"is there a {thing} in the image?", f"does the image contain a {thing}?")),
        rng.choice((f"is there not a {thing}?", f"is no {thing} present?",
                    f"is there not a {thing} in the image?",
                    f"does the image not contain a {thing}?")),
    ]  # fmt: skip
