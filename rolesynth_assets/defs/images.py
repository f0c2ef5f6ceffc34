"""Stage 1: shards of images, decoded, normalised and checked."""

import dagster as dg

from rolesynth_assets.defs.wiring import freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import lance_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.images import checks
from rolesynth_assets.progress import reporting


@stage(
    "images",
    {"lance", "pillow"},
    partitions.image_shard,
    freshness_policy=freshness.DATA,
    pool="lance_images",
    checks=[
        Check(checks.shard_not_empty, "The shard holds at least one usable image.", blocking=True),
        Check(
            checks.rejects_bounded,
            "Few files of the shard are unusable.",
            blocking=True,
            bounds={"max_share": "max_reject_share"},
        ),
        Check(checks.images_once, "Each image of the shard has one row over all shards."),
        Check(
            checks.no_benchmark_image,
            "No image of the shard is in a benchmark, by hash of its bytes.",
            blocking=True,
        ),
    ],
)
def image_shards(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Images of one shard, safely decoded: a normalised image or a reason for every file.

    In: a registered folder slice, webdataset tar, parquet file or Lance dataset. Out: Lance tables
    `images` and `image_rejects`. Stale when: its code changes, or the shard is registered anew.
    """
    from rolesynth_assets.benchmarks.contamination import benchmark_images
    from rolesynth_assets.images.metadata import rejected_files, rejects_shown, shard_pictures
    from rolesynth_assets.images.shards.registry import load_shards
    from rolesynth_assets.images.sync import sync_shard
    from rolesynth_assets.lineage.watched_images import register_watched

    shard, store, settings = context.partition_key, platform.store, platform.settings
    if shard not in load_shards(settings.data_root):  # a sensor's tick plans, its run registers
        register_watched(settings)
    report = sync_shard(
        store,
        settings.data_root,
        shard,
        progress=reporting(f"images {shard}"),
        limits=settings.limits,
        rules=settings.ingest,
    )
    ids = store.read("images", {"shard": shard}, ["image_id"])["image_id"].to_pylist()
    return Made(
        {
            "images": report.images,
            "bytes": report.bytes,
            "rejected": sum(report.rejects.values()),
            "kept_missing": report.kept_missing,
            **lance_metadata("images", report.images, store.version("images"), {}),
            **shard_pictures(store, shard),
            **rejects_shown(store, shard),
        },
        store.digest("images", {"shard": shard}),
        facts={
            "shard": shard,
            "images": report.images + report.kept_missing,
            "rejects": report.rejects,
            "rejected_files": rejected_files(store, shard, checks.MAX_EXAMPLES),
            "image_ids": ids,
            "elsewhere": report.elsewhere,
            "benchmark_ids": benchmark_images(partitions.TASKS, settings.data_root),
        },
    )
