"""Refresh of the graph from the command line, with a plan, progress bars and a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.cli.progress_bars import reported_bars

if TYPE_CHECKING:
    from rolesynth_assets.cli.work.caption_work import CaptionWork
    from rolesynth_assets.lineage.refresh.targets import ProblemWork


def refresh(
    began: float,
    captions: CaptionWork | None = None,
    problems: Callable[[], ProblemWork] | None = None,
    *,
    problems_again: Sequence[str] = (),
    yes: bool = False,
    wait: bool = True,
) -> None:
    """Bring the graph up to date for this work, then print the summary.

    What costs nothing is made first. Then the calls that cost money are counted and printed, and
    begin after a yes.

    Args:
        began: time at which the command started, in seconds of `time.perf_counter`.
        captions: the work on images; None leaves them out.
        problems: returns the work of CADS and R1; it is called once the graph is loaded, because
            the graph defines domains and rounds. None leaves them out.
        problems_again: reasons of calls of a collective that are made again.
        yes: whether the calls are agreed to beforehand.
        wait: whether to wait for batches that were submitted (`openai-batch`).

    Raises:
        typer.BadParameter: a role set or a shard is not known, there are no images, or `problems`
            raises it.
        typer.Exit: with 1 if a partition failed, another process is running a refresh, or the
            answer was no; with 2 if there is no terminal to ask on.
    """
    from rolesynth_assets.cli.dagster_home import prepare_home

    with reported_bars() as reporting:
        reporting("loading Dagster")(0, 1)
        prepare_home()
        from rolesynth_assets.cli.work.refreshing import bring_up_to_date

        reporting("loading Dagster")(1, 1)
    bring_up_to_date(began, captions, problems, problems_again=problems_again, yes=yes, wait=wait)


def first_rounds(count: int) -> list[str]:
    """Return the keys of the first weekly rounds.

    Raises:
        typer.BadParameter: fewer rounds have begun.
    """
    from rolesynth_assets.defs.wiring import partitions

    begun = partitions.round.get_partition_keys()
    if count > len(begun):
        raise typer.BadParameter(
            f"{count} rounds: only {len(begun)} weekly ones have begun since {begun[0]}; ask for "
            f"--rounds {len(begun)} at most"
        )
    return list(begun[:count])


def require_seeds(recipe: str, seeds: Sequence[int], asked: Sequence[int]) -> None:
    """Refuse training seeds that a recipe's file does not list.

    Raises:
        typer.BadParameter: a seed is not in the recipe's file.
    """
    if strange := sorted(set(asked) - set(seeds)):
        raise typer.BadParameter(
            f"recipe {recipe} has the seeds {', '.join(map(str, seeds))}, not "
            f"{', '.join(map(str, strange))}; its file lists them under `seeds`"
        )
