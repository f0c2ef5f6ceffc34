"""What may start by itself: new images become shards, and cheap tables and pages are made."""

import dagster as dg

from rolesynth_assets.defs.images import image_shards
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.settings import Settings

SETTLED_S = 30.0
"""A file or object must have been left alone this long, in seconds, or it may be half copied."""


def registered_shards(settings: Settings, left_out: list[str] | None = None) -> list[str]:
    """Register what is new in the watched place, if one is watched; return all shards there are.

    Args:
        settings: name the place.
        left_out: gets a sentence for each container that is not read.

    Raises:
        NoImagesError: the place holds no image yet.
        BucketError: it lies in a bucket that cannot be read.
    """
    from rolesynth_assets.images.places.place import place_name
    from rolesynth_assets.images.shards.registry import load_shards, register_path

    if settings.images is not None:
        register_path(
            settings.data_root,
            settings.images,
            place_name(settings.images),
            shard_size=settings.shard_size,
            min_age_s=SETTLED_S,
            container=settings.limits.container,
            left_out=left_out,
        )
    return sorted(load_shards(settings.data_root))


@dg.sensor(target=[image_shards], minimum_interval_seconds=60)
def new_image_shards(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.SensorResult | dg.SkipReason:
    """Register what is new in the watched folder or bucket as shards and ingest them.

    It is `images` of rolesynth.yaml, or ROLESYNTH_IMAGES. Captioning costs money, so it is
    not started from here.
    """
    from rolesynth_assets.images.shards.planning import NoImagesError

    settings = platform.settings
    if settings.images is None:
        return dg.SkipReason("Nothing is watched: set ROLESYNTH_IMAGES or `images`.")
    left_out: list[str] = []
    try:
        shards = registered_shards(settings, left_out)
    except NoImagesError as nothing_yet:
        return dg.SkipReason(str(nothing_yet))
    for said in left_out:
        context.log.warning(said)
    known = set(
        partitions.image_shard.get_partition_keys(dynamic_partitions_store=context.instance)
    )
    new = sorted(set(shards) - known)
    if not new:
        return dg.SkipReason(f"Nothing new in {settings.images}.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"image_shards/{key}", partition_key=key) for key in new
        ],
        dynamic_partitions_requests=[partitions.image_shard.build_add_request(new)],
    )


cheap_tables_and_pages = dg.AutomationConditionSensorDefinition(
    "cheap_tables_and_pages",
    target=dg.AssetSelection.all(),  # of these, those with a condition: see `conditions`
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Makes what costs neither a GPU nor a paid call when what it is made from has "
    "changed: the cut, the pairs, manifests, cards and reports. Off until it is turned on; the "
    "weekly refresh makes them too.",
)
