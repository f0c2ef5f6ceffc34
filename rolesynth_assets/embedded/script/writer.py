"""Problems of the scripted member: a question form, a picture that it makes up, and a reference.

The member sees no picture and no description of one: it reads only the text of a seed. It invents
the picture of its problem and keeps the description for the drawing instruction. Like other writers
it sometimes makes errors, with which judges, checks and context optimisation have to cope.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.strategies import (
    AUXILIARY_EXTENSION,
    ISOMORPHIC_TRANSFER,
    LOGIC_REVERSION,
    NUMERICAL_VARIATION,
)
from rolesynth_assets.embedded.problems.pose import (
    Domain,
    alternatives,
    questions,
    sample_picture,
    with_options,
)
from rolesynth_assets.embedded.problems.question_forms import (
    QuestionForm,
    asked_in,
    domain_of,
    form_of,
)
from rolesynth_assets.embedded.problems.solve import OPTION, solve
from rolesynth_assets.embedded.script.contexts import Advice
from rolesynth_assets.embedded.world.figures import BarChart
from rolesynth_assets.embedded.world.scenes import Scene
from rolesynth_assets.embedded.world.specification import Picture, specification

ERRORS = 0.08
"""Share of problems with a wrong reference; not measured, but high enough to occur in a demo."""
FIRST_PICTURE = 5_000_000_000
"""Index of the first picture of a writer; training, held-out sets and seeds use lower indices."""
PICTURES = 1_000_000_000
TRIES = 8
"""Most pictures to invent until the question differs from the earlier ones."""

DETAILS = {
    NUMERICAL_VARIATION: "Other numbers of things, in a new picture.",
    LOGIC_REVERSION: "What was given is asked for.",
    AUXILIARY_EXTENSION: "More has to be looked at than in the seed.",
    ISOMORPHIC_TRANSFER: "The same kind of step in another kind of picture.",
}
_KIN = {
    Domain.COUNTING: Domain.BAR_CHARTS,
    Domain.SPATIAL: Domain.EASY_VQA,
    Domain.ARITHMETIC: Domain.BAR_CHARTS,
    Domain.BAR_CHARTS: Domain.ARITHMETIC,
    Domain.EASY_VQA: Domain.SPATIAL,
}
"""The domain to which the reasoning of a domain can be transferred."""


def write(
    seed: str,
    advice: Advice,
    earlier: Sequence[str],
    rng: random.Random,
    strategies: Sequence[str],
) -> dict[str, object]:
    """Write one problem that grows out of a seed.

    Args:
        seed: text of the seed problem.
        advice: the advice in the context.
        earlier: questions written for the seed before.
        rng: source of the random choices.
        strategies: names of strategies to choose from, keys of `DETAILS`.

    Returns:
        The fields of a `ProblemReply`.
    """
    strategy = rng.choice(strategies)
    domain = domain_of(seed)
    if strategy == ISOMORPHIC_TRANSFER:
        domain = _KIN[domain]
    for _ in range(TRIES):
        picture = _picture(domain, advice.fuller or strategy == AUXILIARY_EXTENSION, rng)
        question = _question(domain, picture, strategy, asked_in(seed), advice, rng)
        if question not in earlier:
            break
    solution = solve(question, picture)
    assert solution is not None, question
    answer = solution.answer
    if rng.random() < ERRORS / (1 + advice.recheck):
        answer = _mistaken(question, answer, rng)
    if rng.random() < (0.6 if advice.options else 0.3):
        question, answer = with_options(question, answer, rng)
    form = form_of(question)
    return {
        "domain": domain.replace("_", " "),
        "core_concepts": [form.name if form else str(domain)],
        "task_type": TaskType.MCQ if OPTION.search(question) else TaskType.OPEN_ENDED,
        "strategy_selected": strategy,
        "strategy_detail": f"{DETAILS[strategy]} The picture: {specification(picture)}",
        "new_question_text": question,
        "new_question_answer": answer,
        "new_solution_text": f"{solution.reasoning} So the answer is {answer}.",
    }


def things(picture: Picture) -> int:
    """Count the things in a picture."""
    if isinstance(picture, Scene):
        return len(picture.objects)
    return len(picture.bars) if isinstance(picture, BarChart) else 1


def _picture(domain: Domain, full: bool, rng: random.Random) -> Picture:
    """Invent a picture; if it should be full, take the fullest of several."""
    ideas = [
        sample_picture(domain, 0, FIRST_PICTURE + rng.randrange(PICTURES))
        for _ in range(5 if full else 1)
    ]
    return max(ideas, key=things)


def _question(
    domain: Domain,
    picture: Picture,
    strategy: str,
    seeds_form: QuestionForm | None,
    advice: Advice,
    rng: random.Random,
) -> str:
    offered = questions(domain, picture, rng)
    weights = []
    for place, question in enumerate(offered):
        form = form_of(question)
        weight = 1 / (place + 1)  # without advice easy forms are likelier
        if advice.build_on:
            weight = 4.0 if form in advice.build_on else (place + 1) / len(offered)
        if form in advice.worn_out:
            weight = 0.1
        if strategy == AUXILIARY_EXTENSION:
            weight *= place + 1
        if form == seeds_form:
            weight *= {NUMERICAL_VARIATION: 4.0, LOGIC_REVERSION: 0.2}.get(strategy, 1.0)
        weights.append(weight)
    return rng.choices(offered, weights)[0]


def _mistaken(question: str, answer: str, rng: random.Random) -> str:
    """Return a wrong answer as a slip would give it: off by one, or another word."""
    form = form_of(question)
    if form is not None and form.name == "which of two things is further left":
        return "right" if answer == "left" else "left"
    wrong = [other for other in alternatives(answer) if other != answer]
    if answer.isdigit():
        wrong = [other for other in wrong if abs(int(other) - int(answer)) == 1]
    return rng.choice(wrong)
