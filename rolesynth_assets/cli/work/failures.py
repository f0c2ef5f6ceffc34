"""What failed or is left out in a refresh from the command line, on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.runner import RefreshReport
    from rolesynth_assets.lineage.staleness.causes import Cell

SHOWN = 10


def print_failures(report: RefreshReport, quiet_about: Collection[str]) -> bool:
    """Print what failed and what waits for it.

    Args:
        report: of the refresh.
        quiet_about: shards whose failure is only mentioned.

    Returns:
        Whether something failed that is not only mentioned.
    """
    quiet = {cell for cell in report.failed if _shard(cell) in quiet_about}
    for cell, message in report.failed.items():
        typer.secho(message, fg="yellow" if cell in quiet else "red", err=True)
    if quiet:
        shards = listed(sorted({_shard(cell) for cell in quiet}))
        typer.secho(
            f"Left out, as before this command: {shards}. The others were not held up.",
            fg="yellow",
            err=True,
        )
    waiting = [cell for cell in dict.fromkeys(report.waiting) if _shard(cell) not in quiet_about]
    waiting = waiting if report.failed or not report.submitted else []
    if waiting:
        names = listed([str(cell) for cell in waiting])
        typer.secho(f"Not started, because their input is missing: {names}", fg="red", err=True)
    return bool(set(report.failed) - quiet or waiting)


def _shard(cell: Cell) -> str:
    """Return the first part of a partition, which is a shard where there is one."""
    return (cell.partition or "").split("|")[0]


def listed(names: Sequence[str]) -> str:
    """Return some names and the number of the others."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def missing_benchmark(name: str, place: object) -> None:
    """Print that a benchmark is left out because its files do not exist."""
    typer.secho(f"benchmark {name} is left out: {place} does not exist", fg="yellow", err=True)
