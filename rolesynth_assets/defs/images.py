"""Stage 1: shards of images, decoded, normalised and checked."""

import dagster as dg

from rolesynth_assets.defs.wiring import freshness, partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    markdown_table,
    picture,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.progress import reporting

_CHECKS = {
    "shard_not_empty": "The shard holds at least one usable image.",
    "rejects_bounded": "Few files of the shard are no usable images.",
    "no_benchmark_image": "No image of the shard stands in a benchmark, by hash of its bytes.",
}


@dg.asset(
    partitions_def=partitions.image_shard,
    group_name="images",
    kinds={"lance", "pillow"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    code_version="1",
    pool="lance_images",
    check_specs=[
        check_spec("image_shards", name, text, partitions.image_shard, blocking=True)
        for name, text in _CHECKS.items()
    ],
)
def image_shards(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Images of one shard, safely decoded: a normalised image or a reason for every file.

    In: a registered folder slice, webdataset tar, parquet file or Lance dataset. Out: Lance tables
    `images` and `image_rejects`. Stale when: its code changes, or the shard is registered anew.
    """
    from rolesynth_assets.benchmarks.contamination import benchmark_images
    from rolesynth_assets.images import checks
    from rolesynth_assets.images.sync import sync_shard
    from rolesynth_assets.pictures.charts import size_histogram
    from rolesynth_assets.pictures.thumbnails import thumbnail_grid

    shard, store, settings = context.partition_key, platform.store, platform.settings
    report = sync_shard(
        store,
        settings.data_root,
        shard,
        progress=reporting(f"images {shard}"),
        limits=settings.limits,
    )
    partition = {"shard": shard}
    rows = store.read("images", partition, ["image_id", "width", "height", "ordinal"])
    ids = rows.sort_by("ordinal")["image_id"].to_pylist()
    bounds = settings.thresholds
    results = [
        check_result("shard_not_empty", checks.shard_not_empty(shard, report.images)),
        check_result(
            "rejects_bounded",
            checks.rejects_bounded(shard, report.images, report.rejects, bounds.max_reject_share),
        ),
        check_result(
            "no_benchmark_image",
            checks.no_benchmark_image(
                shard, ids, benchmark_images(partitions.TASKS, settings.data_root)
            ),
        ),
    ]
    metadata = {
        "rolesynth/images": report.images,
        "rolesynth/bytes": report.bytes,
        "rolesynth/rejected": sum(report.rejects.values()),
        **lance_metadata("images", report.images, store.version("images"), {}),
    }
    if ids:
        shown = store.image_bytes(ids[:32], shard)
        grid = thumbnail_grid([shown[i] for i in ids[:32]], total=len(ids))
        widths, heights = rows["width"].to_pylist(), rows["height"].to_pylist()
        metadata["rolesynth/thumbnails"] = picture(grid, f"first images of {shard}")
        metadata["rolesynth/sizes"] = picture(size_histogram(widths, heights), "image sizes")
    rejects = store.read("image_rejects", partition, ["source", "reason", "detail"])
    if rejects.num_rows:
        import polars as pl

        file = pl.col("source").str.split("/").list.last().alias("file")
        shown_rejects = pl.DataFrame(rejects).head(20).select(file, "reason", "detail")
        metadata["rolesynth/rejects"] = markdown_table(shown_rejects)
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=results,
        data_version=dg.DataVersion(store.digest("images", partition)),
    )
