"""Playing of a domain's round from the store, and storing of its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import DUPLICATES
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.cads.extra_checks.near_duplicates import ProblemPrint
    from rolesynth_assets.cads.values import Seed
    from rolesynth_assets.mllm.cost.metered import Meter
    from rolesynth_assets.mllm.engine import ModelIdentity
    from rolesynth_assets.progress import Progress
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store

TABLES = ("candidates", "verdicts", "contexts")


@dataclass(frozen=True)
class Place:
    """A round of a domain, the round that it builds on, and the run that makes it."""

    domain: str
    round_key: str
    previous: str | None
    run_id: str

    @property
    def partition(self) -> dict[str, str]:
        """Partition of the round in its three tables."""
        return {"domain": self.domain, "round": self.round_key}


def make_round(
    store: Store,
    collective: Collective,
    environ: Mapping[str, str],
    journal: DataPath,
    place: Place,
    withdrawn: Mapping[str, str],
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> tuple[RoundOutcome, dict[str, ModelIdentity]]:
    """Play a round and store its candidates, verdicts and contexts.

    Args:
        store: store with the seeds and the previous round, to which the round is written.
        collective: the collective.
        environ: environment with the keys of its members and its renderer.
        journal: file of the journal of paid calls.
        place: the round.
        withdrawn: text of the tombstone by image id; looked up before each request and after each
            write, so that no withdrawn image is sent to a model or stored again.
        progress: called with (candidates done, candidates of this round).
        meter: counts the calls, also those of a round that fails.

    Returns:
        The round, and the model of each member.

    Raises:
        ValueError: the domain has no seeds.
        MissingRoundError: the previous round is missing, although an earlier one exists.
        EngineError: a member or the renderer can serve no request.
        StoreError: another process plays the same round and does not finish.
    """
    from rolesynth_assets.cads.seeds.rows import seeds_from_rows

    seeds = seeds_from_rows(store.read("seeds", {"domain": place.domain}))
    with store.making(TABLES[0], place.partition):
        outcome, members = asyncio.run(
            _play(store, collective, environ, journal, place, seeds, withdrawn, progress, meter)
        )
        return _write(store, place.partition, outcome, withdrawn, seeds), members


def _write(
    store: Store,
    partition: Mapping[str, str],
    outcome: RoundOutcome,
    withdrawn: Mapping[str, str],
    seeds: Sequence[Seed],
) -> RoundOutcome:
    """Store a round without withdrawn images, and return the stored round.

    A withdrawal writes the tombstone first and then removes rows. The tombstones are therefore read
    again after the write: either this function sees a new one, or the withdrawal finds the rows.
    """
    from rolesynth_assets.cads.round import rows as round_rows
    from rolesynth_assets.cads.round.withdrawn import refuse_withdrawn

    while True:
        known = set(withdrawn)
        outcome = refuse_withdrawn(outcome, withdrawn, seeds)
        rows = {
            "candidates": round_rows.candidate_rows(outcome),
            "verdicts": round_rows.verdict_rows(outcome),
            "contexts": round_rows.context_rows(outcome),
        }
        for table in TABLES:  # a round in which all seeds are done has only contexts
            empty = table != "contexts" or not outcome.contexts
            store.replace(table, partition, rows[table], allow_empty=empty)
        if known == set(withdrawn):
            return outcome


def read_round(store: StoreReader, partition: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """Return the rows of a round by table, the candidates without their images.

    Args:
        store: holds the three tables.
        partition: domain and round.
    """
    import polars as pl

    from rolesynth_assets.store.lance.schemas import CANDIDATES

    plain = [name for name in CANDIDATES.schema.names if name != "image"]
    columns = {"candidates": plain}
    return {
        table: pl.DataFrame(store.read(table, partition, columns.get(table))) for table in TABLES
    }


def round_digest(store: StoreReader, partition: Mapping[str, str]) -> str:
    """Return the content digest of a round's candidates, verdicts and contexts."""
    return digest("round", *(store.digest(table, partition) for table in TABLES))


async def _play(
    store: Store,
    collective: Collective,
    environ: Mapping[str, str],
    journal: DataPath,
    place: Place,
    seeds: Sequence[Seed],
    withdrawn: Mapping[str, str],
    progress: Progress | None,
    meter: Meter | None,
) -> tuple[RoundOutcome, dict[str, ModelIdentity]]:
    from rolesynth_assets.cads.drawing.factory import make_renderer
    from rolesynth_assets.cads.round.calls.before_paying import member_check
    from rolesynth_assets.cads.round.calls.journal import Journal
    from rolesynth_assets.cads.round.play import run_round
    from rolesynth_assets.cads.round.rows import read_previous
    from rolesynth_assets.mllm.factory import make_engine
    from rolesynth_assets.mllm.preflight.record import with_learned

    previous, own_questions = read_previous(store, place.domain, place.previous)
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(Journal(journal))
        renderer = make_renderer(collective.renderer, environ)
        stack.push_async_callback(renderer.aclose)
        settings, engines = {}, {}
        for member in collective.members:
            settings[member.name] = with_learned(store.root, member.settings(environ))
            engines[member.name] = make_engine(settings[member.name])
            stack.push_async_callback(engines[member.name].aclose)
        check = member_check(collective, settings, engines, seeds, store.root, place.run_id)
        outcome = await run_round(
            collective,
            engines,
            renderer,
            kept,
            place.domain,
            place.round_key,
            seeds,
            previous,
            own_questions,
            run_id=place.run_id,
            earlier=_earlier(store, collective, place),
            withdrawn=withdrawn,
            progress=progress,
            meter=meter,
            check=check,
        )
        members = {
            name: await asyncio.to_thread(lambda engine=engine: engine.identity)
            for name, engine in engines.items()
        }
    return outcome, members


def _earlier(store: Store, collective: Collective, place: Place) -> list[ProblemPrint]:
    from rolesynth_assets.cads.round.rows import read_prints

    if DUPLICATES not in collective.extra_checks:
        return []
    return read_prints(store, place.domain, place.previous)
