"""`rolesynth stale`, which lists missing and stale partitions with causes, and makes them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.dagster_home import existing_instance
from rolesynth_assets.cli.printable import printable_json
from rolesynth_assets.cli.spending.question import Yes
from rolesynth_assets.counted import are, counted

if TYPE_CHECKING:
    from rolesynth_assets.cli.spending.expected import Plan
    from rolesynth_assets.lineage.refresh.rematerialize import Fixed
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.staleness.causes import Cell, Status
    from rolesynth_assets.lineage.staleness.explain import Words
    from rolesynth_assets.lineage.staleness.staleness import Staleness

SHOWN = 20
"""Number of stale partitions listed with their causes; the rest is only counted."""


def stale(
    asset: Annotated[
        list[str] | None, typer.Option(help="Show only this asset; repeatable.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="List every stale partition's cause.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="With --fix: also make missing partitions.")
    ] = False,
    to_fix: Annotated[
        bool, typer.Option("--fix", help="Make exactly the stale partitions, upstream first.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --fix: only list the partitions to make.")
    ] = False,
    max_partitions: Annotated[
        int | None, typer.Option(min=1, help="With --fix: make at most this many partitions.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Show which partitions are missing, stale or fresh, and bring the stale ones up to date.

    A partition is stale if anything that it was made from has changed since, however far upstream:
    files, models, code or rows. A partition that was never made is missing, and `--fix` makes it
    only with `--missing`. What a server will be asked is printed first, and begins after a yes.
    """
    if not to_fix and (missing or dry_run or max_partitions):
        raise typer.BadParameter("--missing, --dry-run and --max-partitions go with --fix")
    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.lineage.refresh.shown_staleness import show_staleness
    from rolesynth_assets.lineage.staleness.explain import Words
    from rolesynth_assets.store.lance.fast_import import import_lance_without_pandas

    with _observed() as refresher:
        found = refresher.examine()
        chosen = _known(found, asset)
        if not to_fix and any(found.stale()):  # to tell which rows changed; a fix needs pandas
            import_lance_without_pandas()
        words = Words(refresher.instance, explainers())
        # `partition_health` records the others; here they would hold up the answer
        show_staleness(refresher.graph, refresher.instance, found, words, SHOWN)
        if to_fix:
            _fix(refresher, found, chosen, missing, max_partitions, dry_run, yes, words)
        elif as_json:
            typer.echo(printable_json(as_data(found, chosen, words), indent=1))
        else:
            show(found, chosen, words, every=why)


@contextmanager
def _observed() -> Iterator[Refresher]:
    """Open the instance after observing the sources again."""
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError

    with existing_instance() as instance:
        refresher = Refresher(defs, instance)
        forget_deleted_shards(refresher)
        try:
            refresher.observe_sources()
        except RefreshError as error:
            typer.secho(str(error), fg="red", err=True)
            raise typer.Exit(1) from error
        yield refresher


def forget_deleted_shards(refresher: Refresher) -> None:
    """Forget the shards whose partition was deleted in Dagster, and say so."""
    from rolesynth_assets.lineage.shards import agree_on_shards
    from rolesynth_assets.settings import Settings

    root = Settings.load().data_root
    _, forgotten = agree_on_shards(refresher.instance, refresher.graph, root)
    if forgotten:
        from rolesynth_assets.cli.work.caption_targets import print_forgotten

        print_forgotten(forgotten)


def show(staleness: Staleness, assets: Sequence[str], words: Words, *, every: bool = False) -> None:
    """Print the counts by asset, and the causes of stale partitions."""
    from rich.console import Console
    from rich.table import Table

    from rolesynth_assets.lineage.staleness.causes import Status

    console = Console(soft_wrap=True, highlight=False)
    counts = staleness.counts()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("asset")
    for status in (Status.FRESH, Status.STALE, Status.MISSING):
        table.add_column(status, justify="right")
    for name in assets:
        of = counts[name]
        stale = f"[red]{of[Status.STALE]:,}[/red]" if of[Status.STALE] else "0"
        table.add_row(name, f"{of[Status.FRESH]:,}", stale, f"{of[Status.MISSING]:,}")
    console.print(table)
    for sentence in (*staleness.left_out, *lost(staleness, assets)):
        console.print(sentence, style="yellow", markup=False)
    cells = [cell for cell, _ in staleness.stale() if cell.asset in set(assets)]
    number = len(cells)
    said = f"{counted(number, 'partition')} {are(number)} stale." if cells else "Nothing is stale."
    console.print(f"\n{said}")
    for cell in cells if every else cells[:SHOWN]:
        console.print(f"  {cell}: {'; '.join(words.why(staleness, cell))}", markup=False)
    if not every and len(cells) > SHOWN:
        console.print(f"  and {len(cells) - SHOWN:,} more; `--why` lists them all")
    if cells:
        console.print("`rolesynth stale --fix` makes them again.")


def lost(staleness: Staleness, assets: Sequence[str]) -> list[str]:
    """Say what was made of these assets and is gone, one line for each asset and cause."""
    from rolesynth_assets.lineage.staleness.causes import Reason

    found: dict[tuple[str, str], int] = {}
    for name in assets:
        for state in staleness.states[name].values():
            for cause in state.causes:
                if cause.reason is Reason.LOST:
                    found[name, str(cause)] = found.get((name, str(cause)), 0) + 1
    return [
        f"{counted(count, 'partition')} of {name} {'was' if count == 1 else 'were'} made and "
        f"{are(count)} missing: {why}."
        for (name, why), count in found.items()
    ]


def as_data(staleness: Staleness, assets: Sequence[str], words: Words) -> dict:
    """Return counts by asset and every stale partition with its causes."""
    counts = staleness.counts()
    return {
        "assets": {
            name: {str(status): number for status, number in counts[name].items()}
            for name in assets
        },
        "left_out": staleness.left_out,
        "lost": lost(staleness, assets),
        "stale": [
            {
                "asset": cell.asset,
                "partition": cell.partition,
                "why": words.why(staleness, cell),
                "reasons": [str(cause.reason) for cause in state.causes],
            }
            for cell, state in staleness.stale()
            if cell.asset in set(assets)
        ],
    }


def _known(staleness: Staleness, asset: Sequence[str] | None) -> list[str]:
    unknown = sorted(set(asset or ()) - set(staleness.states))
    if unknown:
        raise typer.BadParameter(
            f"no asset {', '.join(unknown)}; there are {', '.join(staleness.states)}"
        )
    return [name for name in staleness.states if not asset or name in asset]


def _fix(
    refresher: Refresher,
    staleness: Staleness,
    assets: Sequence[str],
    missing: bool,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    words: Words,
) -> None:
    from rolesynth_assets.cli.progress_bars import bars
    from rolesynth_assets.cli.spending.plan import plan_spending
    from rolesynth_assets.cli.spending.question import ask_before_paying, compare
    from rolesynth_assets.cli.work.open_batches import fix_in_passes
    from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
    from rolesynth_assets.lineage.refresh.rematerialize import Limits, fix, planned
    from rolesynth_assets.lineage.refresh.tagged_runs import TAG, common_tag
    from rolesynth_assets.lineage.run_process.launcher import WHAT, launched_tags
    from rolesynth_assets.settings import Settings

    wanted = _wanted(assets, missing)
    plan = planned(staleness, wanted, limit)
    if not plan:
        typer.echo("Nothing is stale." if not missing else "Nothing is stale or missing.")
        return
    work = {name: [str(p) for p in keys if p is not None] for name, keys in plan.items()}
    settings = Settings.load()
    expected = plan_spending(settings, refresher.instance, work)
    if dry_run:
        _list(plan, expected)
        return
    ask_before_paying(expected, yes)
    tags = {**common_tag("fix"), **launched_tags("fix")}
    try:
        typer.echo(f"The runs have the tag {TAG}={tags[TAG]} in `rolesynth ui`.")

        def one_pass(before: Fixed | None, only: Sequence[str]) -> Fixed:
            with alone(settings.data_root), bars() as reporting:
                return fix(
                    refresher,
                    wanted,
                    Limits(partitions=limit),
                    lambda cell, place, total: reporting(cell.asset)(place, total),
                    tags,
                    words.short,
                    before,
                    only,
                )

        done = fix_in_passes(settings, one_pass)
        if done.made:
            with alone(settings.data_root):
                failed = refresher.show_overview({**tags, WHAT: "overview"})
            if failed:
                typer.secho(failed, fg="yellow", err=True)
    except BusyError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    if comparison := compare(expected, done.spent_on):
        typer.echo(comparison)
    report(done)


def _list(plan: Mapping[str, Sequence[str | None]], expected: Plan) -> None:
    """Print the partitions that a fix would make, and what it would ask models."""
    from rolesynth_assets.cli.spending.question import plan_lines

    for name, partitions in plan.items():
        keys = ", ".join(str(p) for p in partitions if p is not None)
        typer.echo(f"{name}: {len(partitions)}" + (f": {keys}" if keys else ""))
    most = counted(sum(map(len, plan.values())), "partition")
    typer.echo(f"{most} at most; nothing was started")
    for line in plan_lines(expected) if expected.asked else ():
        typer.echo(line)


def report(done: Fixed) -> None:
    """Print the result of a fix.

    Raises:
        typer.Exit: with 1 if a partition failed.
    """
    for warning in done.warnings:
        typer.secho(warning, fg="yellow")
    for message in done.failed.values():
        typer.secho(message, fg="red", err=True)
    made, calls = counted(len(done.made), "partition"), counted(done.spent.calls, "model call")
    typer.echo(f"{made} made, {calls}")
    if done.ended:
        typer.echo(f"Ended early: {done.ended}.")
    if done.left:
        names = ", ".join(map(str, done.left[:SHOWN]))
        typer.echo(f"{len(done.left)} left: {names}{', ...' if len(done.left) > SHOWN else ''}")
    if done.failed:
        raise typer.Exit(1)


def _wanted(assets: Sequence[str], missing: bool) -> Callable[[Cell, Status], bool]:
    from rolesynth_assets.lineage.staleness.causes import Status

    chosen = set(assets)

    def wanted(cell: Cell, status: Status) -> bool:
        return cell.asset in chosen and (missing or status is Status.STALE)

    return wanted
