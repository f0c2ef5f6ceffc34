"""The values of CADS: seeds, problems, verdicts and contexts, and their identities.

None of them depends on Dagster, a table or an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Seed:
    """A problem from which new ones are made, or the plain description of a task area.

    Attributes:
        seed_id: digest of domain, problem and images.
        domain: partition that it belongs to.
        problem: the question with one ``<image>`` for each image, or the description.
        answer: archived with the seed; no request to any model ever carries it.
        images: encoded images in order; empty for a description.
        source: file and line that it was read from.
    """

    seed_id: str
    domain: str
    problem: str
    answer: str | None
    images: tuple[bytes, ...]
    source: str


class Decision(StrEnum):
    """The decision on a candidate that follows from the collective's verdicts (CADS, judging)."""

    DISCARDED = "discarded"
    """C = 0: no judge reached the reference answer."""
    KEPT = "kept"
    """1 <= C <= K; hard when C < K."""
    UNDECIDED = "undecided"
    """A verdict is missing, so C is not known; the next run asks again."""
    FAILED = "failed"
    """There is no candidate to judge; its reason names the step that failed."""


class StepReason(StrEnum):
    """Why a step failed, in addition to an engine's `FailureReason`."""

    UNPARSABLE = "unparsable"
    """Neither the reply nor its repair contains a usable JSON object."""
    EQUALITY_FAILED = "equality_failed"
    """Neither the rules nor the model could decide whether an answer equals the reference."""
    VERDICTS_MISSING = "verdicts_missing"
    """At least one judge's verdict is missing, so C is not known."""


class DecidedBy(StrEnum):
    """Whether a rule or a model decided if an answer equals the reference."""

    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True)
class Problem:
    """A writer's problem, parsed from its flat JSON reply."""

    domain: str
    core_concepts: tuple[str, ...]
    task_type: TaskType
    strategy: str
    strategy_detail: str
    question: str
    answer: str
    solution: str


@dataclass(frozen=True)
class Verdict:
    """One judge's answer to one candidate, compared with the reference.

    Attributes:
        judge: member name.
        answer: the judge's answer; None if there is none, for the reason in `reason`.
        correct: whether the answer equals the reference; None exactly if there is no usable answer
            or equality could not be decided. Never False for a failed call.
        decided_by: whether a rule or a model decided equality.
        reason: why `correct` is None: an engine's `FailureReason` value, ``unparsable`` or
            ``equality_failed``.
        detail: the reason in words.
        rationale: the judge's own reasoning.
        raw: the unchanged reply.
    """

    judge: str
    answer: str | None
    correct: bool | None
    decided_by: DecidedBy | None = None
    reason: str | None = None
    detail: str = ""
    rationale: str = ""
    raw: str = ""


@dataclass(frozen=True)
class SeedContext:
    """The generation context of a seed after a round; all writers share it (CADS, optimisation).

    Attributes:
        seed_id: the seed.
        round_number: number of rounds of this seed so far, 0 before the first.
        text: plain text of under 1,500 words; empty until the optimiser has seen a hard sample.
        dealt: number of candidates dealt so far.
    """

    seed_id: str
    round_number: int = 0
    text: str = ""
    dealt: int = 0

    @property
    def digest(self) -> str:
        """Identity of the text."""
        return digest("context", self.text)


def candidate_id(
    seed_id: str, round_number: int, member: str, model: str, index: int, context_digest: str
) -> str:
    """Return a candidate's identity; `model` is the fingerprint of the member's model."""
    return digest("candidate", seed_id, round_number, member, model, index, context_digest)
