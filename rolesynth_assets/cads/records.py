"""The records of a round: candidates, verdicts and contexts, and the calls and tokens they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rolesynth_assets.cads.values import Decision, Problem, Verdict
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate of a round: a row of the table ``candidates``.

    Attributes:
        candidate_id: see `candidates.candidate_id`.
        seed_id: the seed that it was made from.
        round_number: number of the seed's round, from 1.
        index: number of the candidate within its seed over all rounds, from 0.
        member: the member that wrote it.
        model: the writer's model.
        revision: the model's revision.
        context_digest: digest of the context that it was written with.
        decision: the decision that follows from the verdicts.
        judges: K.
        spent: cost of writing it, without the verdicts and without the analysis, which also serves
            the seed's other candidates.
        problem: the written problem; None if writing failed.
        visual_prompt: the drawing instruction.
        renderer: name of the renderer that drew the image.
        image_id: sha256 of the image.
        image: the encoded image.
        consensus: C; None unless decided.
        hard: whether 1 <= C < K.
        reason: ``<step>_<reason>`` of the step that failed, or ``verdicts_missing``.
        detail: the reason in words, with the raw reply if there is one.
        findings: what the extra checks found, by `extra_checks.findings.FINDINGS`; a check that
            was switched off or not possible has no entry, None is an unknown result.
        duplicate_of: id of the kept candidate that this one repeats.
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
    findings: Mapping[str, bool | None] = field(default_factory=dict)
    duplicate_of: str | None = None
    consensus_without_writer: int | None = None


@dataclass(frozen=True)
class VerdictRecord:
    """One judge's verdict on one candidate: a row of the table ``verdicts``.

    Attributes:
        candidate_id: the candidate.
        verdict: the judge's answer and its comparison with the reference.
        model: the judge's model.
        revision: the model's revision.
        with_image: False for the text-only leak check, which does not count towards C.
        is_writer: whether the judge wrote the candidate.
        spent: cost of judging, transcribing and deciding equality; the latency is their sum.
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
    """One seed's context before and after a round: a row of the table ``contexts``.

    Attributes:
        seed_id: the seed.
        round_number: number of the seed's rounds so far; a round in which it got no candidate does
            not count.
        before: the context that its writers read.
        text: the context after the round.
        dealt: number of candidates dealt so far.
        hard: number of hard samples in this round.
        reflection: the optimiser's reflection; None if there was no hard sample, or if the
            optimisation failed for the reason in `reason`.
        optimiser: the member that reflected.
        reason: why the optimisation failed, in which case the text is unchanged.
        detail: the reason in words, with the raw reply if there is one.
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
    """Calls, images, tokens and cost of one member in one run.

    Attributes:
        calls: requests made to its model in this run.
        from_journal: requests that an earlier run, or an equal request, had paid for.
        images: drawings made for its candidates in this run.
        images_from_journal: drawings that were already in the journal.
        prompt_tokens: tokens read by `calls`.
        completion_tokens: tokens written by `calls`.
        cost: cost of `calls` and `images` by the collective's prices, in their currency.
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
        candidates: candidates by seed in the given order, then by index.
        verdicts: verdicts by candidate, in the order of the collective's judges; those given
            without the image come last.
        contexts: one context per seed, in the given order.
        usage: usage by member name.
        to_ask_again: calls that failed for a transient reason, such as a server that was down; they
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
