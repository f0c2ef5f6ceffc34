"""What the catalogue shows of a shard: its first images, their sizes, and what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.pictures.markdown import Markdown, image

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

SHOWN_IMAGES = 32
SHOWN_REJECTS = 20


def shard_pictures(store: StoreReader, shard: str) -> dict[str, Markdown]:
    """Draw the first images of a shard and the sizes of all; empty where it has no image.

    Args:
        store: holds the table ``images``.
        shard: the shard.
    """
    from rolesynth_assets.pictures.charts import size_histogram
    from rolesynth_assets.pictures.thumbnails import thumbnail_grid

    rows = store.read("images", {"shard": shard}, ["image_id", "width", "height", "ordinal"])
    ids = rows.sort_by("ordinal")["image_id"].to_pylist()
    if not ids:
        return {}
    first = ids[:SHOWN_IMAGES]
    stored = store.image_bytes(first, shard)
    grid = thumbnail_grid([stored[i] for i in first], total=len(ids))
    sizes = size_histogram(rows["width"].to_pylist(), rows["height"].to_pylist())
    return {
        "thumbnails": image(grid, f"first images of {shard}"),
        "sizes": image(sizes, "image sizes"),
    }


def rejects_shown(store: StoreReader, shard: str) -> dict[str, pl.DataFrame]:
    """Return the first rejected files of a shard with their reasons; empty where there is none.

    Args:
        store: holds the table ``image_rejects``.
        shard: the shard.
    """
    import polars as pl

    rows = store.read("image_rejects", {"shard": shard}, ["source", "reason", "detail"])
    if not rows.num_rows:
        return {}
    file = pl.col("source").str.split("/").list.last().alias("file")
    return {"rejects": pl.DataFrame(rows).head(SHOWN_REJECTS).select(file, "reason", "detail")}
