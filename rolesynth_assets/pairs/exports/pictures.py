"""The kept captions of a role set with their pictures, one record an image, for exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.errors import InputError
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

IMAGES_AT_ONCE = 256
"""Images held at once, some tens of MB."""
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class NothingKeptError(InputError):
    """A role set has no kept caption to export."""


@dataclass(frozen=True)
class CaptionedImage:
    """An image with its kept captions.

    Attributes:
        image_id: sha256 of the source's bytes.
        source: where it was read from.
        media_type: type of `data`.
        width: pixels.
        height: pixels.
        data: the encoded image.
        captions: ``text``, ``role``, ``length``, ``score`` and ``caption_id`` of each, the best
            score first.
    """

    image_id: str
    source: str
    media_type: str
    width: int
    height: int
    data: bytes
    captions: tuple[dict, ...]

    @property
    def extension(self) -> str:
        """Ending of a file that holds it."""
        return _EXTENSIONS.get(self.media_type, "bin")


def kept_captions(store: StoreReader, role_set: str) -> pl.DataFrame:
    """Return the kept captions of a role set, one row an image, shard after shard.

    Returns:
        ``image_id``, ``shard`` (the first one that holds it) and ``captions``, a list of structs as
        in `CaptionedImage`.

    Raises:
        NothingKeptError: no caption of the role set is kept.
    """
    caption = ["caption_id", "text", "role", "length", "score"]
    columns = ["shard", "image_id", *caption]
    pairs = pl.DataFrame(store.read("pairs", {"role_set": role_set}, columns, "kept"))
    if pairs.is_empty():
        raise NothingKeptError(
            f"role set {role_set!r} has no kept caption; `rolesynth run --role-set {role_set}` "
            "makes them"
        )
    # an image in two shards has the same captions in both
    once = pairs.sort("shard").unique("caption_id", keep="first", maintain_order=True)
    return (
        once.sort("score", "caption_id", descending=[True, False], nulls_last=True)
        .group_by("image_id", maintain_order=True)
        .agg(pl.col("shard").min(), pl.struct(caption).alias("captions"))
        .sort("shard", "image_id")
    )


def with_pictures(store: StoreReader, captions: pl.DataFrame) -> Iterator[CaptionedImage]:
    """Yield each image of `kept_captions` with its picture.

    Args:
        store: the tables.
        captions: what `kept_captions` returned.
    """
    for (shard,), rows in captions.group_by("shard", maintain_order=True):
        for part in rows.iter_slices(IMAGES_AT_ONCE):
            spoken = dict(part.select("image_id", "captions").iter_rows())
            where = any_key("image_id", [*spoken])
            found = store.read("images", {"shard": str(shard)}, None, where).sort_by("image_id")
            for image in found.to_pylist():
                yield CaptionedImage(
                    image_id=image["image_id"],
                    source=image["source"],
                    media_type=image["media_type"],
                    width=image["width"],
                    height=image["height"],
                    data=image["data"],
                    captions=tuple(spoken[image["image_id"]]),
                )
