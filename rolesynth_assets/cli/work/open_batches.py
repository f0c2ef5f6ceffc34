"""Batches that a command has submitted: shown, waited for, and collected in further passes.

Partitions submit without waiting, so that all of them are at the server at the same time. The
command then looks at the batches and takes up the partitions whose batches have ended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.lineage.refresh.rematerialize import Fixed
from rolesynth_assets.lineage.refresh.runner import RefreshReport, Target
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.mllm.rows.batch_ledger import Batch, Ledger, State, known_ledger
from rolesynth_assets.mllm.rows.batch_work import submitting_only
from rolesynth_assets.mllm.settings import BATCHES, EngineSettings

if TYPE_CHECKING:
    from rolesynth_assets.files.object_path import DataPath
    from rolesynth_assets.settings import Settings

ASSETS = {"captions": "raw_captions", "scores": "caption_scores"}
"""The asset whose partitions a table's batches are of."""
UP_TO_BATCHES = ("image_shards", "role_lists", *ASSETS.values())
"""Assets that are made while batches are open; the others are made of all their rows."""


def engines(settings: Settings) -> dict[str, EngineSettings]:
    """Return the models that are asked in batches, by table."""
    asked = {"captions": settings.captioner, "scores": settings.judge}
    return {table: engine for table, engine in asked.items() if engine.engine == BATCHES}


def cells_with_batches(data_root: DataPath) -> dict[Cell, list[Batch]]:
    """Return the open batches of each partition, those that are not submitted yet included."""
    from rolesynth_assets.mllm.rows.batch_ledger import open_batches

    found: dict[Cell, list[Batch]] = {}
    for table, batches in open_batches(data_root).items():
        for batch in batches:
            found.setdefault(_cell(table, batch), []).append(batch)
    return found


def to_collect(targets: Iterable[Target], cells: Collection[Cell]) -> list[Target]:
    """Return targets with those partitions forced that have open batches, fresh or not."""
    changed: list[Target] = []
    for target in targets:
        held = [p for p in target.partitions if Cell(target.asset, p) in cells]
        if held and not target.forced:
            others = [p for p in target.partitions if p not in held]
            changed += [replace(target, partitions=others)] if others else []
            target = replace(target, partitions=held, forced=True)
        changed.append(target)
    return changed


def make_in_passes(
    settings: Settings,
    report: RefreshReport,
    targets: Sequence[Target],
    make: Callable[[Sequence[Target]], None],
    *,
    wait: bool,
) -> None:
    """Make targets, and where batches are open, wait for them and go on.

    Args:
        settings: the project's.
        report: what `make` adds to.
        targets: what is made, upstream first.
        make: makes some of them.
        wait: whether to wait for batches.
    """
    if not engines(settings):
        make(targets)
        return
    early = [target for target in targets if target.asset in UP_TO_BATCHES]
    with submitting_only():
        make(early)
        while wait and report.submitted:
            ready = wait_for_some(settings, report.submitted)
            make(_next_pass(early, report, ready))
    if not report.submitted:
        make([target for target in targets if target not in early])


def fix_in_passes(
    settings: Settings, one_pass: Callable[[Fixed | None, Sequence[str]], Fixed]
) -> Fixed:
    """Fix what is stale, and where batches are open, wait for them and go on.

    Args:
        settings: the project's.
        one_pass: fixes what can be fixed now; it takes what the pass before did, and the assets
            that it may make, which are all of them if there are none.
    """
    if not engines(settings):
        return one_pass(None, ())
    with submitting_only():
        done = one_pass(None, UP_TO_BATCHES)
        while done.submitted and not done.ended:
            wait_for_some(settings, done.submitted)
            done.submitted.clear()
            done = one_pass(done, UP_TO_BATCHES)
    return done if done.ended else one_pass(done, ())


def _next_pass(
    targets: Iterable[Target], report: RefreshReport, ready: Collection[Cell]
) -> list[Target]:
    """Return what is left to make: what is ready, and what was held up before.

    What was made or failed in this command is left alone, for it would be paid again.
    """
    done = {*report.made, *report.failed, *(set(report.submitted) - set(ready))}
    again = dict.fromkeys(ready)
    for cell in again:
        report.submitted.pop(cell, None)
    report.waiting.clear()
    report.fresh = dict.fromkeys(report.fresh, 0)
    left: list[Target] = []
    for target in targets:
        cells = [Cell(target.asset, p) for p in target.partitions]
        forced = [cell.partition for cell in cells if cell in again]
        others = [c.partition for c in cells if c not in done and c not in again]
        if forced:
            left.append(replace(target, partitions=forced, forced=True))
        if others:
            left.append(replace(target, partitions=others))
    return left


def wait_for_some(settings: Settings, waiting: Collection[Cell]) -> set[Cell]:
    """Wait until some partitions can go on, and return them.

    Raises:
        EngineError: a server refuses the key, or does not answer as a Batch API.
        KeyboardInterrupt: the wait was ended; the batches go on.
    """
    asked = engines(settings)
    pause_s = min(engine.batch_poll_s for engine in asked.values())
    last = _said(settings, waiting)
    typer.echo(
        f"\n{last}\nThey are looked at every {pause_s:g} s. Ctrl-C ends the wait alone: they go on "
        "at the server, and the same command collects them."
    )
    while True:
        time.sleep(pause_s)
        look(settings)
        if (said := _said(settings, waiting)) != last:
            typer.echo(said)
            last = said
        if ready := _ready(settings, waiting):
            return ready


def look(settings: Settings) -> None:
    """Ask the servers for the states of the open batches, and print which did not answer."""
    from rolesynth_assets.mllm.batch.looking import look_at_all

    for table, engine in engines(settings).items():
        for fault in look_at_all(engine, settings.data_root, table):
            typer.secho(f"batch {fault}", fg="yellow", err=True)


def print_submitted(submitted: Mapping[Cell, str]) -> None:
    """Print what a command leaves open."""
    for message in list(submitted.values())[:10]:
        typer.secho(message, fg="yellow")
    typer.secho(
        f"{len(submitted):,} partitions wait for batches, and what is made from them waits too. "
        "`rolesynth batches` lists them; run the same command again to collect.",
        fg="yellow",
    )


def _said(settings: Settings, waiting: Collection[Cell]) -> str:
    """Return one line on the batches of some partitions."""
    by_cell = cells_with_batches(settings.data_root)
    batches = [batch for cell in waiting for batch in by_cell.get(cell, ())]
    states = Counter(batch.status or str(batch.state) for batch in batches)
    listed = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    done, failed = sum(b.done for b in batches), sum(b.failed for b in batches)
    total = sum(batch.total for batch in batches)
    refused = f", {failed:,} failed" if failed else ""
    return f"{len(batches):,} batches: {listed}; {done:,} of {total:,} answered{refused}"


def _ready(settings: Settings, waiting: Collection[Cell]) -> set[Cell]:
    """Return the partitions whose batches have all ended, or that may submit more."""
    from rolesynth_assets.mllm.batch.looking import has_ended

    ready = set[Cell]()
    for table, engine in engines(settings).items():
        if (path := known_ledger(settings.data_root, table)) is None:
            continue
        with Ledger(path) as ledger:
            of: dict[Cell, list[Batch]] = {}
            for batch in ledger.batches():
                of.setdefault(_cell(table, batch), []).append(batch)
            every = [batch for batches in of.values() for batch in batches]
            running = sum(b.state is State.SUBMITTED and not has_ended(b) for b in every)
            for cell in waiting:
                if cell.asset != ASSETS[table]:
                    continue
                batches = of.get(cell, [])
                more = any(b.state is not State.SUBMITTED for b in batches) or (
                    running < engine.batches_at_once
                    and any(ledger.unsent(b.place) for b in batches)
                )
                if more or all(map(has_ended, batches)):
                    ready.add(cell)
    return ready


def _cell(table: str, batch: Batch) -> Cell:
    where = batch.partition
    return Cell(ASSETS[table], f"{where['shard']}|{where['role_set']}")
