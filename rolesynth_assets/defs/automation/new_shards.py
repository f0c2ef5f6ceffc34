"""What may start by itself: new images become shards, and cheap tables and pages are made."""

import dagster as dg

from rolesynth_assets.defs.images import image_shards
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.described import described
from rolesynth_assets.defs.wiring.resources import Platform

TRIES = 3
"""Runs that may try to register the same files."""


@described(dg.sensor, target=[image_shards], minimum_interval_seconds=60)
def new_image_shards(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.SensorResult | dg.SkipReason:
    """Costs nothing: registers what is new in the watched folder or bucket, and reads it in.

    It is `images` of rolesynth.yaml, or ROLESYNTH_IMAGES. A tick asks for a partition and a run
    of each new shard, and the run registers its files: evaluating a tick writes nothing. Captioning
    costs money, so it is not started from here.
    """
    from rolesynth_assets.images.shards.planning import NoImagesError
    from rolesynth_assets.images.shards.registry import load_shards
    from rolesynth_assets.lineage.refresh.tagged_runs import ended_runs
    from rolesynth_assets.lineage.shards import deleted_in_dagster
    from rolesynth_assets.lineage.watched_images import planned_shards

    settings, instance = platform.settings, context.instance
    if settings.images is None:
        return dg.SkipReason("Nothing is watched: set ROLESYNTH_IMAGES or `images`.")
    left_out: list[str] = []
    try:
        planned = [shard.key for shard in planned_shards(settings, left_out)]
    except NoImagesError as nothing_yet:
        return dg.SkipReason(str(nothing_yet))
    shards = {*load_shards(settings.data_root), *planned}
    known = set(partitions.image_shard.get_partition_keys(dynamic_partitions_store=instance))
    # a deleted partition is a shard that somebody wants forgotten, not a new one
    new = sorted(shards - known - set(deleted_in_dagster(instance, shards)))
    runs = {f"image_shards/{key}": key for key in new}
    stuck = []
    for key in sorted(known & set(planned)):  # asked for, and not registered yet
        ended = ended_runs(instance, key)
        if ended is not None and ended < TRIES:
            runs[f"image_shards/{key}/{ended}"] = key
        elif ended is not None:
            stuck.append(f"{ended} runs did not register {key}: look at its runs.")
    if not runs:
        return dg.SkipReason(" ".join([f"Nothing new in {settings.images}.", *stuck]))
    for said in (*left_out, *stuck):  # with new shards alone, so that an idle tick logs nothing
        context.log.warning(said)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=run, partition_key=key) for run, key in runs.items()],
        dynamic_partitions_requests=[partitions.image_shard.build_add_request(new)] if new else [],
    )


cheap_tables_and_pages = dg.AutomationConditionSensorDefinition(
    "cheap_tables_and_pages",
    target=dg.AssetSelection.all(),  # of these, those with a condition: see `conditions`
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Costs nothing: makes what needs neither a GPU nor a paid call when what it is "
    "made from has changed: the cut, the pairs, manifests, cards and reports. Off until it is "
    "turned on; the weekly refresh makes them too.",
)
