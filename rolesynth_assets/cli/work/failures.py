"""What failed or is left out in a refresh from the command line, on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.runner import RefreshReport

SHOWN = 10


def print_failures(report: RefreshReport, quiet_about: Collection[str]) -> bool:
    """Print what failed and what waits for it.

    Args:
        report: of the refresh.
        quiet_about: shards whose failure is only mentioned.

    Returns:
        Whether something failed that is not only mentioned.
    """
    quiet = {cell for cell in report.failed if (cell.partition or "").split("|")[0] in quiet_about}
    for cell, message in report.failed.items():
        typer.secho(message, fg="yellow" if cell in quiet else "red", err=True)
    if report.waiting:
        names = listed([str(cell) for cell in dict.fromkeys(report.waiting)])
        typer.secho(f"Not begun, for lack of what they are made from: {names}", fg="red", err=True)
    return bool(set(report.failed) - quiet or report.waiting)


def listed(names: Sequence[str]) -> str:
    """Return some names and the number of the others."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def missing_benchmark(name: str, place: object) -> None:
    """Print that a benchmark is left out because its files do not exist."""
    typer.secho(f"benchmark {name} is left out: {place} does not exist", fg="yellow", err=True)
