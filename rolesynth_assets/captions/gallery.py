"""Galleries of a few images beside all of their captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.pictures.gallery import GalleryCaption, caption_gallery
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

SHOWN = 12
"""Characters of an id on a page, which `rolesynth trace` accepts."""


def _chosen(image_ids: Iterable[str], count: int) -> list[str]:
    return sorted({*image_ids}, key=lambda image: digest("showcase", image))[:count]


def gallery_ids(rows: pa.Table, count: int = 2) -> pl.DataFrame:
    """List the ids behind the galleries: of their images and of all their captions.

    Args:
        rows: captions of the partition.
        count: number of images.
    """
    import polars as pl

    columns = ["image_id", "role", "length", "caption_id"]
    listed = pl.DataFrame(rows.select(columns))
    shown = listed.filter(pl.col("image_id").is_in(_chosen(listed["image_id"], count)))
    ids = pl.col("image_id", "caption_id").str.slice(0, SHOWN)
    return shown.sort("image_id", "role", "length").with_columns(ids)


def galleries(
    store: StoreReader, partition: Mapping[str, str], author: ModelIdentity | None, count: int = 2
) -> list[bytes]:
    """Draw some images of a partition with their captions, scores and keep decisions.

    The images are the same on every run: those with the smallest digests.

    Args:
        store: reads images, captions and, where they exist, pairs.
        partition: shard and role set.
        author: the model that wrote the captions, named below the image; None leaves it out.
        count: number of images.

    Returns:
        PNGs, fewer than `count` for a small partition.
    """
    columns = ["image_id", "caption_id", "role", "length", "text", "reason"]
    rows = store.read("captions", partition, columns).to_pylist()
    pairs = {
        row["caption_id"]: row
        for row in store.read("pairs", partition, ["caption_id", "score", "kept"]).to_pylist()
    }
    chosen = _chosen([row["image_id"] for row in rows], count)
    images = store.image_bytes(chosen, partition["shard"])
    note = ""
    if author:
        note = f"written by {author.model}" + (", a stand-in" if author.stand_in else "")
    pictures = []
    for image in chosen:
        of_image = [row for row in rows if row["image_id"] == image]
        captions = [
            GalleryCaption(
                row["role"],
                row["length"],
                row["text"],
                pairs.get(row["caption_id"], {}).get("score"),
                pairs.get(row["caption_id"], {}).get("kept"),
                row["reason"],
            )
            for row in sorted(of_image, key=lambda row: (row["role"], row["length"]))
        ]
        pictures.append(caption_gallery(images[image], captions, note=note))
    return pictures
