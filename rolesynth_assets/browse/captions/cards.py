"""The images of a page with the words that are shown of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import lance
    import polars as pl

    from rolesynth_assets.browse.captions.columns import CaptionColumns
    from rolesynth_assets.store.lance.reader import StoreReader

_TEXTS = ("text", "reply", "detail", "words", "revision", "run_id", "role_fingerprint", "cuts")
_JUDGED = ("score_id", "rationale", "judge", "judge_revision", "reason", "run_id")


@dataclass(frozen=True)
class ShownCaption:
    """A caption with what became of it.

    Attributes:
        row: columns of the caption (`columns.CaptionColumns`), and its texts.
        judged: the judge's words, empty where it has not judged yet.
    """

    row: Mapping[str, Any]
    judged: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Return a column of the caption."""
        if name in self.row:
            return self.row[name]
        raise AttributeError(name)


@dataclass(frozen=True)
class Card:
    """An image with its captions.

    Attributes:
        image_id: the image.
        shard: a shard that holds it.
        source: where it was read from; empty if it is not stored.
        size: width and height, pixels; (0, 0) if it is not stored.
        captions: captions that are shown.
        roles: the same by role, in the order shown.
    """

    image_id: str
    shard: str
    source: str
    size: tuple[int, int]
    captions: tuple[ShownCaption, ...]

    @property
    def roles(self) -> dict[str, list[ShownCaption]]:
        """The captions by role, in the order shown; the long one of a role first."""
        grouped: dict[str, list[ShownCaption]] = {}
        for caption in self.captions:
            grouped.setdefault(caption.role, []).append(caption)
        return grouped


def cards(store: StoreReader, columns: CaptionColumns, rows: pl.DataFrame) -> list[Card]:
    """Load the words of some captions, image after image.

    Args:
        store: the tables.
        columns: the role set of the captions.
        rows: rows of `columns.frame`.
    """
    if rows.is_empty():
        return []
    grouped: dict[str, list[ShownCaption]] = {}
    for caption in shown_captions(columns, rows):
        grouped.setdefault(caption.image_id, []).append(caption)
    images = image_facts(store, list(grouped))
    return [
        Card(
            image,
            shown[0].shard,
            images.get(image, {}).get("source", ""),
            (images.get(image, {}).get("width", 0), images.get(image, {}).get("height", 0)),
            tuple(shown),
        )
        for image, shown in grouped.items()
    ]


def shown_captions(columns: CaptionColumns, rows: pl.DataFrame) -> Iterable[ShownCaption]:
    """Yield captions with their texts and the judge's words, in the order given."""
    texts = _taken(columns.captions, rows["row"].to_list(), _TEXTS)
    places = rows["score_row"].to_list()
    judged = iter(_taken(columns.scores, [p for p in places if p is not None], _JUDGED))
    for row, text, place in zip(rows.iter_rows(named=True), texts, places, strict=True):
        yield ShownCaption({**row, **text}, next(judged) if place is not None else {})


def image_facts(store: StoreReader, images: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return source and size of images, by id; one that is not stored is left out."""
    names = ["image_id", "shard", "source", "width", "height", "media_type", "bytes"]
    found = store.read("images", None, names, any_key("image_id", images)) if images else None
    return {row["image_id"]: row for row in found.to_pylist()} if found is not None else {}


def _taken(
    dataset: lance.LanceDataset | None, places: Sequence[int], columns: Sequence[str]
) -> list[dict[str, Any]]:
    """Read rows by their places in a table; a column that it does not have yet is null."""
    if dataset is None or not places:
        return []
    there = [name for name in columns if name in dataset.schema.names]
    rows = dataset.take(list(places), columns=there).to_pylist()
    absent = dict.fromkeys(set(columns) - set(there))
    return [{**row, **absent} for row in rows]
