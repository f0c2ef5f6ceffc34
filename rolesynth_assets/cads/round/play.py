"""One round of CADS over the seeds of a domain: write, draw, judge, decide, reflect.

Every candidate passes through the steps independently, so some are judged while others are written.
Every paid reply is in the journal before it is used: a killed round continues where it was, and a
finished round that is run again makes no call, except those that failed for a transient reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil
from types import MappingProxyType

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.drawing.renderer import Renderer
from rolesynth_assets.cads.extra_checks.findings import DUPLICATES
from rolesynth_assets.cads.extra_checks.near_duplicates import ProblemPrint
from rolesynth_assets.cads.records import (
    CandidateRecord,
    ContextRecord,
    MemberUsage,
    RoundOutcome,
    VerdictRecord,
)
from rolesynth_assets.cads.round.calls.before_paying import MemberCheck
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.calls.paid_calls import Calls, open_calls
from rolesynth_assets.cads.round.consensus import decide
from rolesynth_assets.cads.round.extra_checks import check_candidate, mark_duplicates
from rolesynth_assets.cads.round.judging import judge_all
from rolesynth_assets.cads.round.optimise_context import HardSample, optimise
from rolesynth_assets.cads.round.task_group import concurrently
from rolesynth_assets.cads.round.withdrawn import end_withdrawn
from rolesynth_assets.cads.round.write_candidate import Order, make_candidate
from rolesynth_assets.cads.values import Decision, Seed, SeedContext, StepReason
from rolesynth_assets.mllm.cost.metered import Meter
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine
from rolesynth_assets.progress import Progress
from rolesynth_assets.store.digests import image_id

SEEDS_AT_ONCE = 128
"""Seeds in progress at a time: enough to fill every engine, few enough to hold their images."""


async def run_round(
    collective: Collective,
    engines: Mapping[str, ChatEngine],
    renderer: Renderer,
    journal: Journal,
    domain: str,
    round_key: str,
    seeds: Sequence[Seed],
    previous: Mapping[str, SeedContext],
    own_questions: Mapping[tuple[str, str], Sequence[str]],
    *,
    run_id: str,
    optimise_context: bool = True,
    earlier: Iterable[ProblemPrint] = (),
    withdrawn: Mapping[str, str] = MappingProxyType({}),
    progress: Progress | None = None,
    meter: Meter | None = None,
    check: MemberCheck | None = None,
) -> RoundOutcome:
    """Take every seed of a domain through its next round (CADS, the loop).

    A seed that has had all its rounds, or whose candidates are all dealt, gets no candidate and
    keeps its context. A candidate that could not be written or drawn is not replaced.

    Args:
        collective: the collective, whose members write, judge and optimise.
        engines: engine of each member that has a task, by member name.
        renderer: renderer of the images.
        journal: journal of paid calls.
        domain: the seeds' domain.
        round_key: the round's partition key.
        seeds: all seeds of the domain.
        previous: each seed's context after the previous round; a seed without one is new.
        own_questions: questions that a member wrote for a seed in earlier rounds, by seed and
            member.
        run_id: recorded with the outcome.
        optimise_context: False leaves all contexts as they are.
        earlier: prints of the problems that earlier rounds kept, for the duplicates check.
        withdrawn: text of the tombstone by image id; looked up before each request, so that a
            member is asked nothing more about a withdrawn image, its seed or its drawing.
        progress: called with (candidates done, candidates of this round).
        meter: counts the calls, also those of a round that fails.
        check: the preflight of the members, called once before the first paid call.

    Raises:
        EngineError: a member or the renderer can serve no request. Replies that arrived before are
            in the journal.
        ValueError: there are no seeds, or a member that has a task has no engine.
    """
    if not seeds:
        raise ValueError(f"Domain {domain!r} has no seeds: materialize cads_seeds for it first.")
    calls = await open_calls(collective, engines, renderer, journal, withdrawn, check)
    plans = [_plan(collective, seed, previous.get(seed.seed_id)) for seed in seeds]
    work = _Round(calls, own_questions, optimise_context, plans, progress)
    try:
        made = await concurrently(work.take(plan) for plan in plans)
    finally:
        await calls.aclose()
        if meter:
            meter.spent += paid(calls.usage.values())
    candidates = [candidate for seed in made for candidate in seed.candidates]
    if DUPLICATES in collective.extra_checks:
        candidates = await asyncio.to_thread(mark_duplicates, candidates, earlier)
    return RoundOutcome(
        domain=domain,
        round_key=round_key,
        run_id=run_id,
        candidates=candidates,
        verdicts=[verdict for seed in made for verdict in seed.verdicts],
        contexts=[seed.context for seed in made],
        usage=calls.usage,
        to_ask_again=calls.to_ask_again,
    )


@dataclass(frozen=True)
class _Plan:
    """A seed, its context, and the members to which this round deals its candidates."""

    seed: Seed
    before: SeedContext
    members: Sequence[str]


@dataclass(frozen=True)
class _SeedOutcome:
    candidates: Sequence[CandidateRecord]
    verdicts: Sequence[VerdictRecord]
    context: ContextRecord


def _plan(collective: Collective, seed: Seed, before: SeedContext | None) -> _Plan:
    before = before or SeedContext(seed.seed_id)
    left = collective.candidates_per_seed - before.dealt
    if left <= 0 or before.round_number >= collective.rounds:
        return _Plan(seed, before, ())
    batch = batch_size(collective.candidates_per_seed, len(collective.writers), collective.rounds)
    return _Plan(seed, before, deal(collective.writers, before.dealt, min(batch, left)))


class _Round:
    """A round in progress."""

    def __init__(
        self,
        calls: Calls,
        own_questions: Mapping[tuple[str, str], Sequence[str]],
        optimise_context: bool,
        plans: Sequence[_Plan],
        progress: Progress | None,
    ) -> None:
        self._calls = calls
        self._own_questions = own_questions
        self._optimise_context = optimise_context
        self._seats = asyncio.Semaphore(SEEDS_AT_ONCE)
        self._progress = progress
        self._total = sum(len(plan.members) for plan in plans)
        self._done = 0
        self._tell(0)

    async def take(self, plan: _Plan) -> _SeedOutcome:
        """Take one seed through the round."""
        before = plan.before
        context = ContextRecord(
            seed_id=plan.seed.seed_id,
            round_number=before.round_number + bool(plan.members),
            before=before.text,
            text=before.text,
            dealt=before.dealt + len(plan.members),
        )
        if not plan.members:
            return _SeedOutcome((), (), context)
        calls = CallsAbout(self._calls, tuple(map(image_id, plan.seed.images)))
        async with self._seats:
            by_member = await concurrently(
                self._member(calls, plan, member) for member in dict.fromkeys(plan.members)
            )
            made = sorted(chain(*by_member), key=lambda one: one[0].index)
            if self._optimise_context and not calls.gone():
                context = await optimise(calls, context, _hard(calls, made))
        if said := calls.gone():
            made = [(end_withdrawn(candidate, said), []) for candidate, _ in made]
        verdicts = list(chain.from_iterable(verdicts for _, verdicts in made))
        return _SeedOutcome([candidate for candidate, _ in made], verdicts, context)

    async def _member(
        self, calls: CallsAbout, plan: _Plan, member: str
    ) -> list[tuple[CandidateRecord, list[VerdictRecord]]]:
        """Let one member write its candidates of a seed; each request has its earlier questions."""
        before = plan.before
        own = list(self._own_questions.get((plan.seed.seed_id, member), ()))
        async with asyncio.TaskGroup() as judging:
            tasks = []
            for number, turn in enumerate(plan.members):
                if turn != member:
                    continue
                candidate = await make_candidate(
                    calls,
                    Order(
                        seed=plan.seed,
                        member=member,
                        index=before.dealt + number,
                        before=before,
                        own_questions=tuple(own),
                    ),
                )
                if candidate.problem is not None:
                    own.append(candidate.problem.question)
                tasks.append(judging.create_task(self._judge(calls, plan.seed, candidate)))
        return [task.result() for task in tasks]

    async def _judge(
        self, calls: CallsAbout, seed: Seed, candidate: CandidateRecord
    ) -> tuple[CandidateRecord, list[VerdictRecord]]:
        verdicts: list[VerdictRecord] = []
        if said := calls.gone():
            candidate = end_withdrawn(candidate, said)
        elif candidate.decision is not Decision.FAILED:
            verdicts = await judge_all(calls, candidate)
            candidate = _decided(candidate, verdicts, calls.collective.judges)
            candidate, blind = await check_candidate(calls, seed, candidate, verdicts)
            verdicts += blind
        self._tell(1)
        return candidate, verdicts

    def _tell(self, more: int) -> None:
        self._done += more
        if self._progress:
            self._progress(self._done, self._total)


def paid(usage: Iterable[MemberUsage]) -> Spent:
    """Return what members and renderer took in one run, without what the journal had."""
    return sum(
        (Spent(u.calls, u.prompt_tokens, u.completion_tokens, u.cost) for u in usage), Spent()
    )


def _decided(
    candidate: CandidateRecord, verdicts: Sequence[VerdictRecord], judges: Sequence[str]
) -> CandidateRecord:
    decision, consensus, hard = decide([record.verdict for record in verdicts], judges)
    candidate = replace(candidate, decision=decision, consensus=consensus, hard=hard)
    if decision is not Decision.UNDECIDED:
        return candidate
    missing = [record.verdict for record in verdicts if record.verdict.correct is None]
    return replace(
        candidate,
        reason=StepReason.VERDICTS_MISSING,
        detail="; ".join(f"{verdict.judge}: {verdict.reason}" for verdict in missing),
    )


def _hard(
    calls: CallsAbout, made: Sequence[tuple[CandidateRecord, list[VerdictRecord]]]
) -> list[HardSample]:
    """Return the samples to reflect on, without those whose drawing was withdrawn."""
    return [
        HardSample(candidate, [record.verdict for record in verdicts if record.with_image])
        for candidate, verdicts in made
        if candidate.hard and not calls.also(candidate.image_id).gone()
    ]


def batch_size(candidates: int, members: int, rounds: int) -> int:
    """Return the number of candidates that a seed gets in one round.

    Args:
        candidates: N, over all rounds.
        members: K, the number of members to which they are dealt.
        rounds: T, the number of rounds.

    Returns:
        max(1, ceil(N / (K * T))) * K: every member gets the same number, at least one.

    >>> batch_size(8, 4, 10)
    4
    """
    return max(1, ceil(candidates / (members * rounds))) * members


def deal(writers: Sequence[str], dealt: int, count: int) -> list[str]:
    """Deal the next `count` candidates of a seed round-robin, starting after the first `dealt`.

    Over all rounds of a seed, no writer gets more than one candidate more than another.

    >>> deal(("ada", "ben", "cleo"), 2, 4)
    ['cleo', 'ada', 'ben', 'cleo']
    """
    return [writers[number % len(writers)] for number in range(dealt, dealt + count)]
