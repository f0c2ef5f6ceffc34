"""The structured replies of the steps of CADS, parsed strictly from a model's text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from rolesynth_assets.answers.insufficient import is_insufficient
from rolesynth_assets.answers.options import LETTERS, named_option, options
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.prompts.json_object import NumberText, json_objects
from rolesynth_assets.cads.values import Problem
from rolesynth_assets.mllm.quoted_text import quoted

MAX_CONTEXT_WORDS = 1_500
"""A context has fewer words than this (CADS, context optimisation)."""

MAX_QUOTED_REPLY = 4_000
"""Characters of an unusable reply that its repair quotes."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _spelled(value: Any) -> Any:
    return value.spelling if isinstance(value, NumberText) else value


def _clean(value: Any) -> Any:
    return _CONTROL.sub(" ", value).strip() if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """Split a list that was given as one text at its commas or semicolons."""
    if isinstance(value, str):
        return [part for part in re.split(r"[,;]", value) if part.strip()]
    return value


def _joined(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value


def _named(known: Iterable[str]) -> BeforeValidator:
    """Accept one of the known names in any case and spacing, and nothing else."""
    names = {" ".join(name.split()).casefold(): name for name in known}

    def find(value: Any) -> Any:
        return names.get(" ".join(value.split()).casefold(), value) if type(value) is str else value

    return BeforeValidator(find)


_CLEAN = BeforeValidator(_clean)

Line = Annotated[str, Field(min_length=1, max_length=300), _CLEAN]
Paragraph = Annotated[str, Field(min_length=1, max_length=8_000), _CLEAN]
Page = Annotated[str, Field(min_length=1, max_length=20_000), _CLEAN]
Remark = Annotated[str, Field(max_length=40_000), _CLEAN]
Notes = Annotated[str, Field(max_length=8_000), _CLEAN, BeforeValidator(_joined)]
Answer = Annotated[str, Field(min_length=1, max_length=400), _CLEAN, BeforeValidator(_spelled)]
Concepts = Annotated[tuple[Line, ...], Field(min_length=1, max_length=20), BeforeValidator(_listed)]


class Reply(BaseModel):
    """A flat JSON object; further keys are ignored, types are not converted."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AnalysisReply(Reply):
    """A member's private rationale about a seed (CADS, seed analysis)."""

    domain: Line
    core_concepts: Concepts
    rationale: Paragraph


class ProblemReply(Reply):
    """A writer's problem as a flat JSON object (CADS, generation); see `problem_reply`."""

    domain: Line
    core_concepts: Concepts
    task_type: Annotated[TaskType, _named(TaskType)]
    strategy_selected: Line
    strategy_detail: Paragraph
    new_question_text: Paragraph
    new_question_answer: Answer
    new_solution_text: Page

    @model_validator(mode="after")
    def _gradable(self) -> Self:
        if self.task_type is TaskType.OPEN_ENDED:
            return self
        offered = options(self.new_question_text)
        if tuple(offered) != tuple(LETTERS[:4]) or not all(offered.values()):
            raise ValueError("an MCQ offers the options A, B, C and D in new_question_text")
        named = named_option(self.new_question_answer)
        if named is None or named[0] not in offered:
            raise ValueError("the new_question_answer of an MCQ is one letter of A-D")
        return self

    def problem(self) -> Problem:
        """Return the problem as a value; the answer of an MCQ is the bare capital letter."""
        named = None
        if self.task_type is TaskType.MCQ:
            named = named_option(self.new_question_answer)
        return Problem(
            domain=self.domain,
            core_concepts=self.core_concepts,
            task_type=self.task_type,
            strategy=self.strategy_selected,
            strategy_detail=self.strategy_detail,
            question=self.new_question_text,
            answer=named[0] if named else self.new_question_answer,
            solution=self.new_solution_text,
        )


@cache
def problem_reply(strategies: tuple[str, ...]) -> type[ProblemReply]:
    """Return the reply of a writer that may choose one of these strategies, by name."""
    one_of_them = Annotated[Literal[strategies], _named(strategies)]  # type: ignore[valid-type]
    field: Any = (one_of_them, ...)
    return create_model("ProblemReply", __base__=ProblemReply, strategy_selected=field)


class VisualReply(Reply):
    """A drawing instruction (CADS, visual prompt)."""

    visual_prompt: Paragraph


class JudgeReply(Reply):
    """A judge's own answer (CADS, judging)."""

    answer: Answer
    reasoning: Remark = ""

    @property
    def insufficient(self) -> bool:
        """Whether the judge answers that the information is insufficient."""
        return is_insufficient(self.answer)


class TranscriptReply(Reply):
    """An image in words, written without knowledge of the question (CADS, judging)."""

    description: Paragraph
    visible_text: Notes = ""
    uncertainties: Notes = ""


class EqualityReply(Reply):
    """Whether a prediction means the same as the reference (CADS, equality)."""

    equivalent: Annotated[bool, Field(strict=True)]
    reason: Remark = ""


class ContextReply(Reply):
    """A reflection on hard samples and the context that replaces the old one."""

    reflection: Page
    optimized_context: Page

    @model_validator(mode="after")
    def _short(self) -> Self:
        words = len(self.optimized_context.split())
        if words >= MAX_CONTEXT_WORDS:
            raise ValueError(
                f"optimized_context has {words} words; it must have fewer than {MAX_CONTEXT_WORDS}"
            )
        return self


@dataclass(frozen=True)
class Unparsable:
    """The reason why a reply has no usable JSON object."""

    detail: str


AnyReply = TypeVar("AnyReply", bound=Reply)


def parse(text: str, model: type[AnyReply]) -> AnyReply | Unparsable:
    """Read the one JSON object of a reply as `model`.

    Code fences and text around the object are accepted. Nothing is evaluated. Of several objects,
    the one that fits `model` is taken; two different ones that fit are unparsable, since choosing
    between them would be a guess. Types are not converted, except that an answer may be a number.

    Args:
        text: the whole reply, at most 100,000 characters.
        model: the expected kind of reply.

    Returns:
        The reply, or `Unparsable` with a description of the fault that a model can act on.
    """
    try:
        objects = json_objects(text)
    except ValueError as error:
        return Unparsable(str(error))
    if not objects:
        return Unparsable("there is no complete JSON object in the reply")
    fitting: list[AnyReply] = []
    faults = ""
    for found in objects:
        try:
            reply = model.model_validate(found)
        except ValidationError as error:
            faults = _in_words(error)
            continue
        if reply not in fitting:
            fitting.append(reply)
    if len(fitting) > 1:
        return Unparsable(f"there are {len(fitting)} different JSON objects where one is asked for")
    return fitting[0] if fitting else Unparsable(faults)


def fits_a_step(text: str) -> bool:
    """Return whether a reply can be read as the answer of at least one step."""
    return any(not isinstance(parse(text, kind), Unparsable) for kind in Reply.__subclasses__())


def repair_prompt(original: str, bad: str, problem: str) -> str:
    """Return the prompt of the one retry that an unusable reply gets.

    Args:
        original: the prompt as it was sent; it is repeated, so that the retry is self-contained.
        bad: the reply, quoted as data and cut at `MAX_QUOTED_REPLY` characters.
        problem: description of its fault, such as `Unparsable.detail`.
    """
    return (
        f"{original}\n\nAn earlier reply to this was unusable: {problem}. It was:\n"
        f"{quoted('unusable_reply', bad[:MAX_QUOTED_REPLY])}\n"
        "Reply again, with nothing but one JSON object that has the keys asked for above."
    )


def _in_words(error: ValidationError) -> str:
    """Name each faulty field; the values are left out, because they are a model's text."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}".removeprefix(": ")
        for fault in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "; ".join(faults[:8])
