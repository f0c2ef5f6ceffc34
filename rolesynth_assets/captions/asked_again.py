"""Captions that are asked again because somebody wants it, also such as have a text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.captions.repeated_texts import texts_of_several_images
from rolesynth_assets.mllm.rows.asked_again import rows_to_ask, with_batches

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

SAME_TEXT = "same_text"
"""The word among reasons that means captions whose text serves several images."""


def captions_to_ask(
    store: StoreReader,
    partition: Mapping[str, str],
    wanted: Collection[str],
    reasons: Sequence[str],
) -> str:
    """Return the SQL predicate of a partition's stored captions that count as missing.

    Args:
        store: reads ``captions``.
        partition: shard and role set.
        wanted: ids of the captions that it should hold.
        reasons: as in `rows_to_ask`; `SAME_TEXT` adds captions whose text serves several images.
    """
    alike = captions_of_one_text(store, partition) if SAME_TEXT in reasons else None
    retry = rows_to_ask("caption_id", wanted, reasons, alike)
    return with_batches(store, "captions", "caption_id", partition, retry)


def captions_of_one_text(store: StoreReader, partition: Mapping[str, str]) -> str | None:
    """Return the SQL predicate of captions whose text serves several images; None without any."""
    from rolesynth_assets.store.lance.rows import any_key

    texts = texts_of_several_images(store.read("captions", partition, ["image_id", "text"]))
    return any_key("text", texts) if texts else None
