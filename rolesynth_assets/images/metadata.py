"""What the catalogue shows of a shard: its first images, their sizes, and what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.images.checks import NO_FAULT
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
    rows = stored_rejects(store, shard)
    if rows.is_empty():
        return {}
    return {"rejects": rows.head(SHOWN_REJECTS).select("file", "reason", "detail")}


def rejected_files(store: StoreReader, shard: str, count: int) -> list[str]:
    """Return some rejected files, each with its reason: those first that are no usable images."""
    rows = stored_rejects(store, shard).head(count)
    return [f"{file} ({reason})" for file, reason in rows.select("file", "reason").iter_rows()]


def stored_rejects(store: StoreReader, shard: str) -> pl.DataFrame:
    """Return the rejected files of a shard: source, file, reason, detail, shard.

    Withdrawn and repeated files come last, otherwise the files are sorted by their source.
    """
    import polars as pl

    columns = ["shard", "source", "reason", "detail"]
    rows = pl.DataFrame(store.read("image_rejects", {"shard": shard}, columns))
    file = pl.col("source").str.split("/").list.last().alias("file")
    usable = pl.col("reason").is_in([str(reason) for reason in NO_FAULT])
    return rows.with_columns(file).sort(usable, "source", "reason")
