"""Captions that people exclude by hand, as rows of the table ``exclusions``.

A decision that was taken back stays as a row, so that the partition's digest shows both changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.review.labels import reviewer_name, store_said
from rolesynth_assets.store.lance.rows import all_of, any_key
from rolesynth_assets.store.tombstones import now

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store

LONGEST_NOTE = 500
"""Characters of a note; more is cut."""


def decide(
    store: Store, caption_id: str, *, excluded: bool, reviewer: str, note: str = ""
) -> list[str]:
    """Exclude a caption in all partitions that hold it, or take that back.

    Args:
        store: the tables.
        caption_id: the caption.
        excluded: whether it is excluded from now on.
        reviewer: who decided.
        note: why.

    Returns:
        The partitions, as ``shard|role_set``, whose pairs this makes stale.

    Raises:
        InputError: the reviewer's name is empty, or the image was withdrawn, also during the call;
            nothing is stored then.
        KeyError: there is no such caption.
    """
    name = reviewer_name(reviewer)
    columns = ["shard", "role_set", "image_id"]
    places = store.read("captions", None, columns, any_key("caption_id", [caption_id])).to_pylist()
    if not places:
        raise KeyError(f"There is no caption {caption_id[:12]}.")
    for place in places:
        row = {
            "caption_id": caption_id,
            "image_id": place["image_id"],
            "excluded": excluded,
            "reviewer": name,
            "note": " ".join(note.split())[:LONGEST_NOTE] or None,
            "decided_at": now(),
        }
        partition = {"shard": place["shard"], "role_set": place["role_set"]}
        store_said(store, "exclusions", partition, row)
    return sorted(f"{place['shard']}|{place['role_set']}" for place in places)


def excluded(store: StoreReader, partition: Mapping[str, str]) -> set[str]:
    """Return the ids of a partition's captions that are excluded."""
    rows = store.read("exclusions", partition, ["caption_id"], "excluded")
    return set(rows["caption_id"].to_pylist())


def exclusions_of(store: StoreReader, captions: list[str]) -> dict[str, dict]:
    """Return the rows of those of some captions that are excluded, by caption."""
    where = all_of(any_key("caption_id", captions or [""]), "excluded")
    return {row["caption_id"]: row for row in store.read("exclusions", where=where).to_pylist()}


def exclusion_digests(
    store: StoreReader, shards: Callable[[], Container[str]], role_sets: Container[str]
) -> dict[str, str]:
    """Return the digest of each partition's exclusions by ``shard|role_set``.

    Args:
        store: the tables.
        shards: returns the image shards there are; rows of forgotten ones are left out. It is not
            called where nobody excluded anything.
        role_sets: the role sets there are.
    """
    columns = ["shard", "role_set"]
    rows = store.read("exclusions", None, columns).to_pylist()
    partitions = {(row["shard"], row["role_set"]) for row in rows}
    live = shards() if partitions else ()
    return {
        f"{shard}|{role_set}": store.digest("exclusions", {"shard": shard, "role_set": role_set})
        for shard, role_set in sorted(partitions)
        if shard in live and role_set in role_sets
    }
