"""What may bring stale partitions up to date by itself, when somebody turns it on."""

import json

import dagster as dg

CAP = 100
"""Partitions started at one tick."""


@dg.sensor(
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def rematerialize_stale(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Start runs for stale partitions whose upstream is right, at most 100 at a tick.

    It is off until it is turned on: captions, scores and training cost money. What fails is not
    started again until its code or its upstream changes. What was never made is left alone.
    """
    from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
    from rolesynth_assets.lineage.refresh.sensor_tick import next_wave
    from rolesynth_assets.lineage.refresh.tagged_runs import common_tag, in_progress, requests

    assert context.repository_def is not None
    refresher = Refresher(context.repository_def, context.instance)
    try:
        with alone(context.instance):
            refresher.observe_sources()
            tried = json.loads(context.cursor) if context.cursor else {}
            busy = in_progress(refresher.graph, context.instance)
            wave = next_wave(refresher.examine(), tried, busy, CAP)
    except (BusyError, RefreshError) as error:
        return dg.SkipReason(str(error))
    notes = [
        f"{len(wave.put_off)} put off to the next tick." if wave.put_off else "",
        f"Given up until something changes: {', '.join(map(str, wave.given_up[:10]))}."
        if wave.given_up
        else "",
    ]
    note = " ".join(filter(None, notes))
    if note:
        context.log.info(note)  # a tick that requests runs shows its log and no skip reason
    return dg.SensorResult(
        run_requests=list(requests(wave.work, common_tag("sensor"))),
        skip_reason=None if wave.work else f"Nothing is due. {note}".rstrip(),
        cursor=json.dumps(wave.tried),
    )
