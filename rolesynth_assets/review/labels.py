"""What people say of captions, as rows of the table ``human_labels``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.errors import InputError
from rolesynth_assets.review.truth import Truth
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.rows import any_key
from rolesynth_assets.store.tombstones import now, withdrawn_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store

LONGEST_NAME = 60
"""Characters of a reviewer's name."""


@dataclass(frozen=True)
class Subject:
    """A caption in one partition, as a reviewer sees it.

    Attributes:
        caption_id: the caption.
        image_id: its image.
        shard: its image shard.
        role_set: its role set.
        decision: what the filter decided, "kept" or "dropped".
    """

    caption_id: str
    image_id: str
    shard: str
    role_set: str
    decision: str

    @property
    def partition(self) -> dict[str, str]:
        """Its partition in the tables."""
        return {"shard": self.shard, "role_set": self.role_set}


def reviewer_name(given: str) -> str:
    """Return a reviewer's name as it is stored.

    Raises:
        InputError: it is empty or too long.
    """
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME:
        raise InputError(f"A reviewer's name has 1 to {LONGEST_NAME} characters.")
    return name


def write_label(
    store: Store, subject: Subject, reviewer: str, truth: Truth, fits: bool | None
) -> None:
    """Store an answer; another one of the same reviewer on the same caption is replaced.

    Args:
        store: the tables.
        subject: the caption.
        reviewer: name of the reviewer.
        truth: whether the caption is true.
        fits: whether it fits its role; None if the reviewer did not say.

    Raises:
        InputError: the reviewer's name is empty or too long, or the image was withdrawn, also
            during the call; nothing is stored then.
    """
    name = reviewer_name(reviewer)
    row = {
        "label_id": _label_id(subject.caption_id, name),
        "caption_id": subject.caption_id,
        "image_id": subject.image_id,
        "reviewer": name,
        "truth": str(truth),
        "fits": fits,
        "decision": subject.decision,
        "labelled_at": now(),
    }
    store_said(store, "human_labels", subject.partition, row)


def store_said(
    store: Store, table: str, partition: Mapping[str, str], row: Mapping[str, object]
) -> None:
    """Store a row that somebody said of a caption, unless its image is withdrawn.

    Raises:
        InputError: the image was withdrawn, also during the call; nothing is stored then.
    """
    import pyarrow as pa

    store.append(table, partition, pa.Table.from_pylist([{**row}]))
    if row["image_id"] in withdrawn_images(store.root):
        store.remove(table, any_key("image_id", [str(row["image_id"])]))
        raise InputError("The image of this caption was withdrawn, so nothing is stored of it.")


def remove_label(store: Store, caption_id: str, reviewer: str) -> int:
    """Take a reviewer's answer on a caption back; return the number of rows removed."""
    key = _label_id(caption_id, reviewer_name(reviewer))
    return store.remove("human_labels", any_key("label_id", [key]))


def read_labels(store: StoreReader, role_set: str, shard: str = "") -> pl.DataFrame:
    """Return the answers on a role set's captions, those of one shard if it is named."""
    import polars as pl

    partition = {"role_set": role_set} | ({"shard": shard} if shard else {})
    return pl.DataFrame(store.read("human_labels", partition))


def _label_id(caption_id: str, reviewer: str) -> str:
    return digest("human label", caption_id, reviewer)
