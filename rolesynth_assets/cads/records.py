"""What a round leaves behind: candidates, verdicts and contexts, and what they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rolesynth_assets.cads.values import Decision, Problem, Verdict
from rolesynth_assets.mllm.spent import Spent
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate of a round: a row of the table ``candidates``.

    Attributes:
        candidate_id: see `candidates.candidate_id`.
        seed_id: the seed it was made from.
        round_number: of the seed, from 1.
        index: of the seed over all rounds, from 0.
        member: who wrote it.
        model: the writer's model.
        revision: the model's revision.
        context_digest: the context it was written with.
        decision: what the verdicts make of it.
        judges: K.
        spent: what writing it took, without the verdicts; the analysis, which serves the seed's
            other candidates too, is no part of it.
        problem: what was written; None when that failed.
        visual_prompt: the drawing instruction.
        renderer: which renderer drew the image.
        image_id: sha256 of the image.
        image: the encoded image.
        consensus: C; None unless decided.
        hard: 1 <= C < K.
        reason: ``<step>_<reason>`` of the step that failed, or ``verdicts_missing``.
        detail: the reason in words, with the raw reply where there is one.
        text_only_leak: a judge reached the reference without the image; None where that was not
            asked or nothing was answered.
        suspect_label: a majority agrees on an answer that is not the reference.
        copied_numbers: the numbers are the seed's.
        duplicate_of: the kept candidate that this one repeats.
        consensus_without_writer: C without the writer's own verdict.
    """

    candidate_id: str
    seed_id: str
    round_number: int
    index: int
    member: str
    model: str
    revision: str
    context_digest: str
    decision: Decision
    judges: int
    spent: Spent = field(default_factory=Spent)
    problem: Problem | None = None
    visual_prompt: str | None = None
    renderer: str | None = None
    image_id: str | None = None
    image: bytes | None = None
    consensus: int | None = None
    hard: bool = False
    reason: str | None = None
    detail: str = ""
    text_only_leak: bool | None = None
    suspect_label: bool | None = None
    copied_numbers: bool | None = None
    duplicate_of: str | None = None
    consensus_without_writer: int | None = None


@dataclass(frozen=True)
class VerdictRecord:
    """One judge's verdict on one candidate: a row of the table ``verdicts``.

    Attributes:
        candidate_id: the candidate.
        verdict: the judge's answer and what became of it.
        model: the judge's model.
        revision: the model's revision.
        with_image: False for the text-only leak check, which has no part in C.
        is_writer: whether the judge wrote the candidate.
        spent: judging, transcribing and settling equality; the model's latency is their sum.
    """

    candidate_id: str
    verdict: Verdict
    model: str
    revision: str
    with_image: bool
    is_writer: bool
    spent: Spent = field(default_factory=Spent)

    @property
    def verdict_id(self) -> str:
        """Identity: candidate, judge, and whether it saw the image."""
        return digest("verdict", self.candidate_id, self.verdict.judge, int(self.with_image))


@dataclass(frozen=True)
class ContextRecord:
    """What a round made of one seed's context: a row of the table ``contexts``.

    Attributes:
        seed_id: the seed.
        round_number: rounds that the seed has been through; a round in which it got no candidate
            does not count.
        before: the context that its writers read.
        text: the context afterwards.
        dealt: candidates dealt so far.
        hard: hard samples of this round.
        reflection: None when no hard sample gave cause, or `reason` says why there is none.
        optimiser: who reflected.
        reason: why the optimisation failed; the text is unchanged then.
        detail: the reason in words, with the raw reply where there is one.
    """

    seed_id: str
    round_number: int
    before: str
    text: str
    dealt: int
    hard: int = 0
    reflection: str | None = None
    optimiser: str | None = None
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class MemberUsage:
    """What one member did in one run.

    Attributes:
        calls: requests made to its model in this run.
        from_journal: requests that an earlier run, or an equal request, had paid for.
        images: drawings made for its candidates in this run.
        images_from_journal: drawings that were there already.
        prompt_tokens: tokens read by `calls`.
        completion_tokens: tokens written by `calls`.
        cost: of `calls` and `images`, by the collective's prices, in their currency.
    """

    calls: int = 0
    from_journal: int = 0
    images: int = 0
    images_from_journal: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True)
class RoundOutcome:
    """A round of one domain, its records sorted so that equal rounds are equal.

    Attributes:
        domain: the seeds' domain.
        round_key: the round's partition key.
        run_id: the run that made it.
        candidates: by seed in the order given, then by index.
        verdicts: by candidate, in the order of the collective's judges; without the image last.
        contexts: one for each seed, in the order given.
        usage: by member name.
        to_ask_again: calls that failed for a passing reason, such as a server that was down; they
            are not in the journal, so the next run makes them again.
    """

    domain: str
    round_key: str
    run_id: str
    candidates: list[CandidateRecord]
    verdicts: list[VerdictRecord]
    contexts: list[ContextRecord]
    usage: Mapping[str, MemberUsage]
    to_ask_again: int = 0
