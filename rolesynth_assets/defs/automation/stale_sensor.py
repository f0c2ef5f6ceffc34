"""What may bring stale partitions up to date by itself, when somebody turns it on."""

import json

import dagster as dg

CAP = 100
"""Partitions started at one tick."""


@dg.sensor(minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.STOPPED)
def rematerialize_stale(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Start a backfill an asset for stale partitions whose upstream is right, 100 at a tick.

    It is off until it is turned on: captions, scores and training cost money. What fails is not
    started again until its code or its upstream changes. What was never made is left alone.
    """
    from rolesynth_assets.lineage.refresh.backfills import in_progress, request
    from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
    from rolesynth_assets.lineage.refresh.sensor_tick import next_wave

    assert context.repository_def is not None
    refresher = Refresher(context.repository_def, context.instance)
    graph, instance = refresher.graph, context.instance
    try:
        with alone(instance):
            refresher.observe_sources()
            tried = json.loads(context.cursor) if context.cursor else {}
            wave = next_wave(refresher.examine(), tried, in_progress(graph, instance), CAP)
            # of a tick that is cut off the cursor is lost, but its backfills are in progress
            context.update_cursor(json.dumps(wave.tried))
            for asset, partitions in wave.work.items():
                request(graph, instance, asset, partitions)
    except (BusyError, RefreshError) as error:
        return dg.SkipReason(str(error))
    started = ", ".join(f"{len(keys)} of {asset}" for asset, keys in wave.work.items())
    told = [
        f"Backfills for stale partitions: {started}." if started else "Nothing is due.",
        f"{len(wave.put_off)} put off to the next tick." if wave.put_off else "",
        f"Given up until something changes: {', '.join(map(str, wave.given_up[:10]))}."
        if wave.given_up
        else "",
    ]
    return dg.SkipReason(" ".join(filter(None, told)))
