"""`rolesynth problems --again`: calls of a collective that failed are made once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.cads.values import StepReason
from rolesynth_assets.cli.spending.expected import Expected
from rolesynth_assets.cli.spending.problems import of_failed_calls
from rolesynth_assets.lineage.refresh.runner import Target
from rolesynth_assets.lineage.staleness.causes import Status
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.rows.reply_journal import ReplyJournal, journal_path

if TYPE_CHECKING:
    from rolesynth_assets.lineage.staleness.staleness import Staleness
    from rolesynth_assets.settings import Settings


def known_failures(asked: str) -> list[str]:
    """Return the reasons of a list such as ``truncated,refused``.

    Raises:
        typer.BadParameter: a reason is not known, or the next run asks again by itself.
    """
    known = [str(reason) for reason in FailureReason if not reason.transient]
    known.append(StepReason.UNPARSABLE)
    reasons = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    if unknown := [reason for reason in reasons if reason not in known]:
        raise typer.BadParameter(
            f"no reason {', '.join(unknown)}; calls that are final fail as {', '.join(known)}"
        )
    return reasons


def rounds_again(staleness: Staleness, plan: Sequence[Target]) -> list[Target]:
    """Return a plan in which all rounds that were made are played again, from the journal."""
    states = staleness.states["cads_rounds"]
    return [
        replace(target, forced=True)
        if target.asset == "cads_rounds"
        and any(states[str(p)].status is not Status.MISSING for p in target.partitions)
        else target
        for target in plan
    ]


def failed_calls(settings: Settings, reasons: Sequence[str]) -> list[Expected]:
    """Return the calls that failed for some reasons, as calls that are made again."""
    with _journal(settings) as journal:
        count = journal.failed(reasons)
    if not count:
        typer.echo(f"No call of a collective failed as {', '.join(reasons)}.")
    return of_failed_calls(settings, count)


def forget_failed_calls(settings: Settings, reasons: Sequence[str]) -> None:
    """Let the next run make the calls again that failed for some reasons."""
    with _journal(settings) as journal:
        journal.forget_failed(reasons)


@contextmanager
def _journal(settings: Settings) -> Iterator[ReplyJournal]:
    from rolesynth_assets.cads.round.calls.journal import Journal

    with Journal(journal_path(settings.data_root, "cads")) as journal:
        yield journal
