"""Runs whose process was killed are ended, also while nobody starts a command."""

import dagster as dg

from rolesynth_assets.defs.wiring.described import described

ALL_ALIVE = "Every run in progress has its process."


@described(
    dg.sensor,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def end_killed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Costs nothing: ends runs whose process is gone, so that they hold no slot.

    A machine that went down or a `kill -9` leaves a run that Dagster calls started for ever. What
    it had begun is stale then, with that cause. This sensor is on from the first start. A preview
    of its tick only lists the runs. No run could end them: it would wait for their slots.
    """
    from rolesynth_assets.lineage.run_process.dead_runs import dead_runs, end_dead_runs

    if previewed(context):
        found = [
            f"Run {run.run_id[:8]} would be ended: {why}."
            for run, why in dead_runs(context.instance)
        ]
        return dg.SkipReason(" ".join(found) or ALL_ALIVE)
    ended = end_dead_runs(context.instance)
    for run in ended:
        context.log.info(str(run))
    return dg.SkipReason(" ".join(map(str, ended)) or ALL_ALIVE)


def previewed(context: dg.SensorEvaluationContext) -> bool:
    """Whether nobody records the tick: the daemon names its log after the tick's number."""
    return not (context.log_key and context.log_key[-1].isdigit())
