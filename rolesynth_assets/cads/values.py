"""The values that CADS passes on: seeds, candidates, verdicts, contexts, and their identities.

None of them knows Dagster, a table or an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.strategies import Strategy
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Seed:
    """A problem that stands at the beginning, or the plain description of a task area.

    Attributes:
        seed_id: digest of domain, problem and images.
        domain: partition it belongs to.
        problem: the question with one ``<image>`` for each image, or the description.
        answer: archived with the seed; no request to any model ever carries it.
        images: encoded images in order; empty for a description.
        source: file and line it was read from.
    """

    seed_id: str
    domain: str
    problem: str
    answer: str | None
    images: tuple[bytes, ...]
    source: str


class Decision(StrEnum):
    """What the collective's verdicts make of a candidate (CADS, judging)."""

    DISCARDED = "discarded"
    """C = 0: nobody reached the reference answer."""
    KEPT = "kept"
    """1 <= C <= K; hard when C < K."""
    UNDECIDED = "undecided"
    """A verdict is missing, so C is not known; the next run asks again."""
    FAILED = "failed"
    """There is no candidate to judge; its reason says at which step it failed."""


class DecidedBy(StrEnum):
    """What found an answer equal to the reference, or not."""

    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True)
class Problem:
    """What a writer wrote, parsed from its flat JSON reply."""

    domain: str
    core_concepts: tuple[str, ...]
    task_type: TaskType
    strategy: Strategy
    strategy_detail: str
    question: str
    answer: str
    solution: str


@dataclass(frozen=True)
class Verdict:
    """One judge's answer to one candidate, held against the reference.

    Attributes:
        judge: member name.
        answer: what the judge answered; None when `reason` says why there is none.
        correct: whether it equals the reference; None exactly when there is no usable answer or
            the question of equality could not be settled. Never False for a failed call.
        decided_by: what settled it.
        reason: why `correct` is None: an engine's `FailureReason` value or ``unparsable`` or
            ``equality_failed``.
        detail: the reason in words.
        rationale: the judge's own reasoning.
        raw: the reply as it came.
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
        round_number: rounds that this seed has been through, 0 before the first.
        text: plain text of under 1,500 words; empty until a hard sample has been reflected upon.
        dealt: candidates dealt so far.
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
