"""What may bring stale partitions up to date by itself, when somebody turns it on."""

from datetime import UTC, datetime

import dagster as dg

from rolesynth_assets.defs.wiring.described import described
from rolesynth_assets.defs.wiring.resources import Platform

CAP = 100
"""Partitions started at one tick."""
SHOWN = 10
"""Partitions that were given up and are named at a tick, each with its cause."""


def now() -> datetime:
    """Return the present, UTC; tests set it."""
    return datetime.now(UTC)


@described(
    dg.sensor,
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def rematerialize_stale(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.SensorResult | dg.SkipReason:
    """Costs money: starts runs for stale partitions, at most 100 at a tick; off until turned on.

    Captions, scores, problems and training are among them. A tick looks at the sources, starts what
    is stale and whose upstream is right, and leaves alone what was never made. What fails is tried
    three times with growing pauses, then given up until its code or its upstream changes or
    somebody runs it by hand. A tick itself changes no data: where a partition of a shard was
    deleted, it requests the run of `partition_health` that forgets the shard, and nothing else.
    """
    from rolesynth_assets.defs.wiring.needs_reload import moved_recipes, reload_sentences
    from rolesynth_assets.lineage.refresh.forgetting_run import request_to_forget
    from rolesynth_assets.lineage.refresh.given_up import run_by_hand, sentences
    from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
    from rolesynth_assets.lineage.refresh.sensor_tick import next_wave, read_cursor, write_cursor
    from rolesynth_assets.lineage.refresh.tagged_runs import common_tag, in_progress, requests
    from rolesynth_assets.lineage.run_process.launcher import WHAT
    from rolesynth_assets.lineage.staleness.causes import Cell

    assert context.repository_def is not None
    refresher = Refresher(context.repository_def, context.instance)
    tried = read_cursor(context.cursor)
    forgetting = request_to_forget(refresher.graph, context.instance, platform.settings.data_root)
    if forgetting.request:
        context.log.info(forgetting.note)
        return dg.SensorResult(run_requests=[forgetting.request], cursor=context.cursor)
    if forgetting.under_way:
        return dg.SkipReason(forgetting.note)
    try:
        with alone(platform.settings.data_root):
            looked = refresher.look()
            busy = in_progress(refresher.graph, context.instance)
            busy |= {Cell("training_sets", recipe) for recipe in moved_recipes()}
            by_hand = run_by_hand(context.instance, tried)
            staleness = refresher.examine(looked)
            wave = next_wave(staleness, tried, busy, CAP, now(), by_hand)
    except (BusyError, RefreshError) as error:
        return dg.SkipReason(str(error))
    pausing = list(wave.pausing.items())
    notes = [
        forgetting.note,
        f"{len(wave.put_off)} put off to the next tick." if wave.put_off else "",
        *(f"{cell} failed, next try at {at:%H:%M} UTC." for cell, at in pausing[:SHOWN]),
        f"And {len(pausing) - SHOWN} more to try again." if pausing[SHOWN:] else "",
        *sentences(context.instance, wave.given_up[:SHOWN]),
        f"And {len(wave.given_up) - SHOWN} more given up." if wave.given_up[SHOWN:] else "",
        looked.reload,
        *reload_sentences(),
        *staleness.left_out,
    ]
    note = " ".join(filter(None, notes))
    if note and wave.work:
        context.log.info(note)  # a tick that requests runs shows its log and no skip reason
    tags = {**common_tag("sensor"), WHAT: "stale sensor"}
    return dg.SensorResult(
        run_requests=list(requests(wave.work, tags)),
        skip_reason=None if wave.work else f"Nothing is due. {note}".rstrip(),
        cursor=write_cursor(wave.tried),
        asset_events=looked.events,
    )
