"""Refresh of the graph from the command line, with progress bars, a lock and a summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.cli.progress_bars import bars

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.runner import Target
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.progress import Progress
    from rolesynth_assets.settings import Settings


@dataclass(frozen=True)
class CaptionWork:
    """The part of a refresh from images to CLIP scores; all registered shards are read in.

    Attributes:
        role_sets: role sets with which all shards are captioned.
        recipes: training seeds by recipe.
        roles_alone: further role sets for which only the roles are made.
    """

    role_sets: Sequence[str] = ()
    recipes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    roles_alone: Sequence[str] = ()


def refresh(
    began: float,
    captions: CaptionWork | None = None,
    problems: Callable[[], ProblemWork] | None = None,
) -> None:
    """Bring the graph up to date for this work, then print the summary.

    Args:
        began: time at which the command started, in seconds of `time.perf_counter`.
        captions: the work on images; None leaves them out.
        problems: returns the work of CADS and R1; it is called once the graph is loaded, because
            the graph defines domains and rounds. None leaves them out.

    Raises:
        typer.BadParameter: a role set is not known, there are no images, or `problems` raises it.
        typer.Exit: with 1 if a partition failed or another process is running a refresh.
    """
    from rolesynth_assets import progress
    from rolesynth_assets.cli.dagster_home import prepare_home

    with bars() as reporting:
        reporting("loading Dagster")(0, 1)
        prepare_home()
        token = progress.reporter.set(reporting)
        try:
            _run(began, captions, problems, reporting)
        finally:
            progress.reporter.reset(token)


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


def _run(
    began: float,
    captions: CaptionWork | None,
    problems: Callable[[], ProblemWork] | None,
    reporting: Callable[[str], Progress],
) -> None:
    import dagster as dg

    from rolesynth_assets.cli.summary.caption_tables import print_summary
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.defs.wiring import r1_partitions
    from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
    from rolesynth_assets.lineage.refresh.targets import problem_targets
    from rolesynth_assets.lineage.run_process.launcher import launched_tags
    from rolesynth_assets.settings import Settings

    reporting("loading Dagster")(1, 1)
    settings = Settings.load()
    shards = _shards(settings, captions) if captions else []
    plan = _caption_targets(settings, shards, captions) if captions else []
    work = problems() if problems else None
    if work:
        plan += problem_targets(work, r1_partitions.R1_RECIPES)
    role_sets, recipes = (captions.role_sets, list(captions.recipes)) if captions else ((), [])
    asks_models = bool(role_sets or work)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("image_shard", shards)
        refresher = Refresher(defs, instance)
        try:
            with alone(instance) if asks_models else nullcontext():
                refresher.observe_sources()
                tags = launched_tags(_named(captions, work))
                report = refresher.run(plan, lambda asset, key: reporting(asset)(0, 0), tags)
        except (BusyError, RefreshError) as error:
            typer.secho(f"\n{error}", fg="red", err=True)
            raise typer.Exit(1) from error
    print_summary(settings, report, shards, role_sets, recipes, began, work)


def _named(captions: CaptionWork | None, problems: ProblemWork | None) -> str:
    """Name the runs for what they are: ``run roles5``, ``problems counting``, ``ingest``."""
    asked = [*(captions.role_sets if captions else ()), *(captions.recipes if captions else ())]
    parts = [f"run {' '.join(dict.fromkeys(asked))}"] if asked else []
    if problems:
        parts.append(f"problems {' '.join(problems.domains)}")
    return ", ".join(parts) or "ingest"


def _shards(settings: Settings, work: CaptionWork) -> list[str]:
    from rolesynth_assets.defs.wiring import partitions
    from rolesynth_assets.images.shards.registry import load_shards

    if unknown := sorted(set(work.role_sets) - set(partitions.ROLE_SETS)):
        raise typer.BadParameter(
            f"no role set {', '.join(unknown)}; there are {', '.join(partitions.ROLE_SETS)}"
        )
    shards = sorted(load_shards(settings.data_root))
    if not shards:
        raise typer.BadParameter(
            f"no images are registered under {settings.data_root}; run `rolesynth ingest PATH`"
        )
    return shards


def _caption_targets(settings: Settings, shards: Sequence[str], work: CaptionWork) -> list[Target]:
    from rolesynth_assets.defs.wiring import partitions
    from rolesynth_assets.lineage.refresh.runner import Target
    from rolesynth_assets.lineage.refresh.targets import targets

    recipes = [(partitions.RECIPES[name], seeds) for name, seeds in work.recipes.items()]
    plan = targets(shards, work.role_sets, recipes, _tasks(settings) if recipes else [])
    if work.roles_alone:
        plan.insert(2, Target("role_lists", work.roles_alone))
    return plan


def _tasks(settings: Settings) -> list[str]:
    """Return the benchmarks whose files exist; print the names of the others."""
    from rolesynth_assets.defs.wiring import partitions

    there = []
    for name, task in partitions.TASKS.items():
        if task.resolve(settings.data_root).exists():
            there.append(name)
        elif not task.embedded:
            missing_benchmark(name, task.resolve(settings.data_root))
    return there


def missing_benchmark(name: str, place: object) -> None:
    """Print that a benchmark is left out because its files do not exist."""
    typer.secho(f"benchmark {name} is left out: {place} does not exist", fg="yellow", err=True)
