"""The arms of the comparison of CADS: one loop, run with other members or without contexts."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.collective.member import JudgeSampling
from rolesynth_assets.cads.drawing.renderer import Renderer
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.play import run_round
from rolesynth_assets.cads.round.rows import candidate_rows
from rolesynth_assets.cads.values import Seed, SeedContext
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, ModelIdentity
from rolesynth_assets.store.digests import seed_from

ON, OFF, ALONE = "K members, context on", "K members, context off", "one member K times, context on"


class Arm(NamedTuple):
    """One way to run the loop."""

    name: str
    collective: Collective
    engines: Mapping[str, ChatEngine]
    optimise_context: bool


@dataclass(frozen=True)
class Redrawn:
    """An engine whose sampling seeds are others: the same member asked once more."""

    engine: ChatEngine
    draw: int

    @property
    def identity(self) -> ModelIdentity:
        """Its own identity: the journal must not answer one draw with another."""
        identity = self.engine.identity
        return replace(identity, revision=f"{identity.revision} draw {self.draw}")

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        """Answer as the engine does."""
        other = (replace(r, seed=seed_from("redrawn", r.seed, self.draw)) for r in requests)
        async with aclosing(self.engine.complete(other)) as replies:  # type: ignore[type-var]
            async for reply in replies:
                yield reply

    async def aclose(self) -> None:
        """Leave the engine open, for others use it."""


def arms_of(
    collective: Collective, engines: Mapping[str, ChatEngine], alone: str | None = None
) -> list[Arm]:
    """Return the arms of the comparison.

    Args:
        collective: K members who write and judge.
        engines: theirs, by name.
        alone: member that stands for all K in the third arm; by default the first judge.
    """
    one = engines[alone or collective.judges[0]]
    sampled = tuple(
        member.model_copy(update={"judge": JudgeSampling(temperature=1.0)})
        for member in collective.members
    )
    copies = {member.name: Redrawn(one, n) for n, member in enumerate(collective.members)}
    same = collective.model_copy(update={"members": sampled})
    return [
        Arm(ON, collective, engines, True),
        Arm(OFF, collective, engines, False),
        Arm(ALONE, same, copies, True),
    ]


async def play(
    arm: Arm, seeds: Sequence[Seed], renderer: Renderer, journal: Journal
) -> pl.DataFrame:
    """Run all rounds of an arm; returns its rows of the ``candidates`` table."""
    contexts: dict[str, SeedContext] = {}
    questions: dict[tuple[str, str], list[str]] = {}
    frames = []
    for number in range(1, arm.collective.rounds + 1):
        outcome = await run_round(
            arm.collective,
            arm.engines,
            renderer,
            journal,
            seeds[0].domain,
            f"round {number:02d}",
            seeds,
            contexts,
            questions,
            optimise_context=arm.optimise_context,
            run_id="measurement",
        )
        contexts = {
            c.seed_id: SeedContext(c.seed_id, c.round_number, c.text, c.dealt)
            for c in outcome.contexts
        }
        for made in outcome.candidates:
            if made.problem:
                key = (made.seed_id, made.member)
                questions.setdefault(key, []).append(made.problem.question)
        frames.append(pl.from_arrow(candidate_rows(outcome)))
    return pl.concat(frames)
