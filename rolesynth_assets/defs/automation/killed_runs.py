"""Runs whose process was killed are ended, also while nobody starts a command."""

import dagster as dg

from rolesynth_assets.defs.wiring.described import described


@described(
    dg.sensor,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def end_killed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Costs nothing: ends runs whose process is gone, so that they hold no slot.

    A machine that went down or a `kill -9` leaves a run that Dagster calls started for ever. What
    it had begun is stale then, with that cause. This sensor is on from the first start.
    """
    from rolesynth_assets.lineage.run_process.dead_runs import end_dead_runs

    ended = end_dead_runs(context.instance)
    for run in ended:
        context.log.info(str(run))
    return dg.SkipReason(" ".join(map(str, ended)) or "Every run in progress has its process.")
