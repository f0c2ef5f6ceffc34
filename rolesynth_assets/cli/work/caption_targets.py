"""The partitions from images to CLIP scores that a command brings up to date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.cli.work.asked_again import ask_again
from rolesynth_assets.cli.work.caption_work import CaptionWork
from rolesynth_assets.cli.work.failures import listed, missing_benchmark
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.images.shards.registry import load_forgotten
from rolesynth_assets.lineage.refresh.runner import Refresher, Target
from rolesynth_assets.lineage.refresh.targets import targets
from rolesynth_assets.lineage.shards import agree_on_shards, forget, forgotten_words
from rolesynth_assets.lineage.staleness.causes import Cell, Reason, Status

if TYPE_CHECKING:
    from rolesynth_assets.lineage.staleness.staleness import Staleness
    from rolesynth_assets.settings import Settings


def chosen_shards(settings: Settings, refresher: Refresher, work: CaptionWork) -> list[str]:
    """Return the shards that a command is about.

    Raises:
        typer.BadParameter: a role set or a shard is not known, or there are no images.
    """
    if unknown := sorted(set(work.role_sets) - set(partitions.ROLE_SETS)):
        raise typer.BadParameter(
            f"no role set {', '.join(unknown)}; there are {', '.join(partitions.ROLE_SETS)}"
        )
    root = settings.data_root
    shards, forgotten = agree_on_shards(refresher.instance, refresher.graph, root)
    print_forgotten(forgotten)
    if not shards:
        gone = listed(list(load_forgotten(root)))
        raise typer.BadParameter(
            f"no images are registered under {root}; run `rolesynth ingest PATH`"
            + (f" (forgotten shards: {gone}; --again brings them back)" if gone else "")
        )
    if unknown := sorted(set(work.shards) - set(shards)):
        raise typer.BadParameter(f"no shard {', '.join(unknown)}; there are {listed(shards)}")
    return sorted(set(work.shards)) or shards


def forget_emptied(settings: Settings, refresher: Refresher, shards: Sequence[str]) -> None:
    """Forget shards of which no file is left."""
    from rolesynth_assets.store.lance.store import Store

    if shards:
        store = Store(str(settings.data_root))
        forget(refresher.instance, refresher.graph, store, shards, "none of its files is left")


def print_forgotten(shards: Sequence[str]) -> None:
    """Print which shards were forgotten because their partition was deleted in Dagster."""
    for shard in shards:
        typer.secho(forgotten_words(shard), fg="yellow", err=True)


def caption_targets(
    settings: Settings, staleness: Staleness, shards: Sequence[str], work: CaptionWork
) -> list[Target]:
    """List the targets of a command, upstream first.

    Args:
        settings: the project's.
        staleness: the state before it.
        shards: the shards that it is about.
        work: what it was asked for.
    """
    bad = [s for s in failed_before(staleness, shards) if s in work.quiet_about]
    for shard in bad:
        typer.secho(
            f"shard {shard} did not pass its checks when it was read in, and is left out: "
            f"`rolesynth rejects {shard}` lists its files, `rolesynth ingest PATH --again` reads "
            f"them again, `rolesynth forget {shard}` drops it",
            fg="yellow",
            err=True,
        )
    good = [shard for shard in shards if shard not in bad]
    recipes = [(partitions.RECIPES[name], seeds) for name, seeds in work.recipes.items()]
    tasks = _tasks(settings) if recipes else []
    scored = [
        str(key)
        for key, state in staleness.states["caption_scores"].items()
        if state.status is not Status.MISSING
    ]
    plan = targets(good, work.role_sets, recipes, tasks, scored)
    if work.roles_alone:
        plan.insert(2, Target("role_lists", work.roles_alone))
    if work.read_again:
        plan.insert(0, Target("image_shards", work.read_again, forced=True))
    return ask_again(settings, staleness, plan, work.again) if work.again else plan


def failed_before(staleness: Staleness, shards: Sequence[str]) -> list[str]:
    """Return the shards that were read in and did not pass a check."""
    return [shard for shard in shards if _fails_a_check(staleness, shard)]


def _fails_a_check(staleness: Staleness, shard: str) -> bool:
    """Return whether a shard was read in, and nothing but a failed check speaks against it."""
    causes = staleness.state(Cell("image_shards", shard)).causes
    return bool(causes) and all(cause.reason is Reason.CHECK for cause in causes)


def _tasks(settings: Settings) -> list[str]:
    """Return the benchmarks whose files exist; print the names of the others."""
    there = []
    for name, task in partitions.TASKS.items():
        if task.resolve(settings.data_root).exists():
            there.append(name)
        elif not task.embedded:
            missing_benchmark(name, task.resolve(settings.data_root))
    return there
