"""Once a week: new images in, and everything in use brought up to date."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from rolesynth_assets.defs.automation import new_shards
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform

WEEK = timedelta(weeks=1)
WAIT_S = 600.0
"""Seconds to wait for a tick of `rematerialize_stale` that is just at work."""


class RefreshLimits(dg.Config):
    """When a refresh ends; what is left is listed and comes with the next one."""

    max_model_calls: int = Field(200_000, description="Calls of captioner, judge and collective.")
    max_cost: float | None = Field(
        None, description="Money, by the project's prices; `max_refresh_cost` if it is not given."
    )
    max_partitions: int = Field(10_000, description="Partitions of all assets.")
    attempts: int = Field(2, description="Runs of a partition that fails.")


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
    from rolesynth_assets.images.shards.planning import NoImagesError
    from rolesynth_assets.images.shards.registry import load_shards
    from rolesynth_assets.lineage.refresh.one_at_a_time import alone
    from rolesynth_assets.lineage.refresh.rematerialize import Limits, fix
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.tagged_runs import common_tag
    from rolesynth_assets.lineage.refresh.weekly import due_this_week
    from rolesynth_assets.lineage.staleness.causes import Cell

    root = platform.settings.data_root
    with alone(context.instance, WAIT_S):
        try:
            shards = new_shards.registered_shards(platform.settings)
        except NoImagesError:
            shards = sorted(load_shards(root))
        context.instance.add_dynamic_partitions(str(partitions.image_shard.name), shards)
        refresher = Refresher(code_location.definitions, context.instance)
        refresher.observe_sources()
        tasks = [name for name, task in partitions.TASKS.items() if task.at_hand(root)]
        wanted = due_this_week(refresher.examine(), shards, partitions.RECIPES, tasks)
        cap = platform.settings.max_refresh_cost if config.max_cost is None else config.max_cost
        limits = Limits(config.max_partitions, config.max_model_calls, cap, config.attempts)
        tags = common_tag("refresh")
        done = fix(refresher, wanted, limits, lambda cell, *_: context.log.info(f"{cell}"), tags)
        refresher.make(Cell("partition_health"))
    metadata = {
        **tags,
        "rolesynth/made": len(done.made),
        **done.spent.metadata,
        "rolesynth/failed": dg.MetadataValue.json({str(c): why for c, why in done.failed.items()}),
        "rolesynth/left": dg.MetadataValue.json([str(cell) for cell in done.left]),
        "rolesynth/ended": done.ended or "nothing more was due",
        "rolesynth/warnings": dg.MetadataValue.json(done.warnings),
    }
    if done.failed:
        raise dg.Failure(
            f"{len(done.failed)} partitions failed {config.attempts} times; all others were made. "
            "`rolesynth stale --why` tells what still hangs on them.",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.Output(None, metadata=metadata)


@dg.job(executor_def=dg.in_process_executor, tags={"rolesynth/refresh": "weekly"})
def refresh() -> None:
    """Bring everything in use up to date, as `weekly_refresh` does; its limits are run config."""
    refresh_everything()


@dg.schedule(
    cron_schedule="0 3 * * 1", job=refresh, default_status=dg.DefaultScheduleStatus.STOPPED
)
def weekly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Monday at three: refresh once. Off until it is turned on, for it costs model calls.

    Ticks that were missed are caught up by the latest of them, since each looks at what is stale.
    """
    due = context.scheduled_execution_time
    if now() - due >= WEEK:
        return dg.SkipReason("It was missed; a later tick does its work.")
    return dg.RunRequest(run_key=f"weekly_refresh/{due:%G-W%V}")
