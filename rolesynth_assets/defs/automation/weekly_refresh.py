"""Once a week: new images in, and everything in use brought up to date."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import dagster as dg

from rolesynth_assets.defs.automation.outcome import RefreshLimits, outcome
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.described import described
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage.run_process.executor import recorded

WEEK = timedelta(weeks=1)
WAIT_S = 600.0
"""Seconds to wait for a tick of `rematerialize_stale` that is just at work."""


def now() -> datetime:
    """Return the present, UTC; tests set it."""
    return datetime.now(UTC)


@dg.op
def refresh_everything(
    context: dg.OpExecutionContext,
    config: RefreshLimits,
    platform: Platform,
    code_location: dg.ResourceParam[CodeLocation],
) -> dg.Output[None]:
    """Register new shards, then make what is stale and what is new of what is in use.

    Only what changed is paid for. A shard that fails holds up no other, and is tried again next
    week; training waits for blocking checks.
    """
    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.images.shards.planning import NoImagesError
    from rolesynth_assets.lineage.refresh.one_at_a_time import alone
    from rolesynth_assets.lineage.refresh.rematerialize import fix
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.tagged_runs import common_tag
    from rolesynth_assets.lineage.refresh.weekly import due_this_week
    from rolesynth_assets.lineage.run_process.launcher import WHAT
    from rolesynth_assets.lineage.shards import agree_on_shards, forgotten_words
    from rolesynth_assets.lineage.staleness.causes import Cell
    from rolesynth_assets.lineage.staleness.explain import Words
    from rolesynth_assets.lineage.watched_images import register_watched
    from rolesynth_assets.training_sets.table_upkeep import tables_due

    root = platform.settings.data_root
    with alone(root, WAIT_S):
        with suppress(NoImagesError):
            register_watched(platform.settings)
        refresher = Refresher(code_location.definitions, context.instance)
        shards, forgotten = agree_on_shards(context.instance, refresher.graph, root)
        for shard in forgotten:
            context.log.warning(forgotten_words(shard))
        refresher.observe_sources()
        tasks = [name for name, task in partitions.TASKS.items() if task.at_hand(root)]
        wanted = due_this_week(refresher.examine(), shards, partitions.RECIPES, tasks)
        limits = config.limits(platform.settings.max_refresh_cost)
        tags, words = common_tag("refresh"), Words(context.instance, explainers())
        context.instance.add_run_tags(context.run_id, tags)  # its runs lead back to this one
        done = fix(
            refresher,
            wanted,
            limits,
            lambda cell, *_: context.log.info(f"{cell}"),
            {**tags, WHAT: "weekly refresh"},
            words.short,
        )
        upkeep = ["table_maintenance"] if tables_due(platform.store, platform.small) else []
        for page in (*upkeep, "partition_health", "overview"):
            refresher.make(Cell(page), {WHAT: "weekly refresh"})
    return outcome(done, tags, config.attempts)


@dg.job(executor_def=recorded(dg.in_process_executor), tags={"rolesynth/refresh": "weekly"})
def refresh() -> None:
    """Costs money: brings everything in use up to date, as `weekly_refresh` does.

    Its config caps model calls (200,000), cost (by default `max_refresh_cost` of rolesynth.yaml)
    and partitions; what is left comes with the next one.
    """
    refresh_everything()


@described(
    dg.schedule,
    cron_schedule="0 3 * * 1",
    job=refresh,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def weekly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Costs money: the job `refresh` on Monday at 03:00, within its caps. Off until turned on.

    Ticks that were missed are caught up by the latest of them, since each looks at what is stale.
    """
    due = context.scheduled_execution_time
    if now() - due >= WEEK:
        return dg.SkipReason("It was missed; a later tick does its work.")
    return dg.RunRequest(run_key=f"weekly_refresh/{due:%G-W%V}")
