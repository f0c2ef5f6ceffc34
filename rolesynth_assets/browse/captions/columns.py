"""The captions of a role set as columns in memory: all that filters and orders need, no text.

A million captions take some 250 MB. They are read once for each version of the tables.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from rolesynth_assets.browse.captions.view import Decision
from rolesynth_assets.store.lance.rows import sql_quoted

if TYPE_CHECKING:
    import lance
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

KEPT_ROLE_SETS = 2
"""Role sets whose columns are held at once."""
_CAPTIONS = (
    *("role_set", "shard", "caption_id", "image_id"),
    *("role", "length", "model", "reason"),
)
_SCORES = ("role_set", "shard", "caption_id", "score")
_PAIRS = ("shard", "caption_id", "kept", "reason")
_NAMES = ("shard", "role", "length", "model", "reason")
FILTERS = (*_NAMES, "decision")
"""Columns with few different values, which a page offers as filters."""


@dataclass(frozen=True)
class CaptionColumns:
    """One role set's captions at one version of the tables.

    Attributes:
        role_set: the role set.
        frame: a row for each caption, in the order of the table: ``row`` and ``score_row`` (places
            in the tables), ``caption_id``, ``image_id``, ``score``, ``decision`` and `FILTERS`.
        captions: the table ``captions`` at the version that was read.
        scores: the table ``scores``; None if there is none.
        values: the different values of each column of `FILTERS`, sorted.
    """

    role_set: str
    frame: pl.DataFrame
    captions: lance.LanceDataset | None
    scores: lance.LanceDataset | None
    values: Mapping[str, list[str]]


class CaptionCache:
    """The columns of the role sets that were looked at last.

    Args:
        store: the tables.
    """

    def __init__(self, store: StoreReader) -> None:
        self._store, self._lock = store, Lock()
        self._held: OrderedDict[str, tuple[tuple[int, ...], CaptionColumns]] = OrderedDict()
        self._role_sets: tuple[int, list[str]] = (0, [])

    def role_sets(self) -> list[str]:
        """Return the role sets that have captions now, sorted."""
        version = self._store.version("captions")
        if self._role_sets[0] != version:
            self._role_sets = version, role_sets(self._store)
        return self._role_sets[1]

    def columns(self, role_set: str) -> CaptionColumns:
        """Return a role set's captions as they are now."""
        with self._lock:  # two requests at once must not read a million rows twice
            versions = tuple(map(self._store.version, ("captions", "scores", "pairs")))
            held = self._held.get(role_set)
            if held is None or held[0] != versions:
                self._held.pop(role_set, None)
                held = versions, read_columns(self._store, role_set)
                self._held[role_set] = held
                while len(self._held) > KEPT_ROLE_SETS:
                    self._held.popitem(last=False)
            self._held.move_to_end(role_set)
            return held[1]


def role_sets(store: StoreReader) -> list[str]:
    """Return the role sets that have captions, sorted."""
    import pyarrow.compute as pc

    found: set[str] = set()
    for batch in store.batches("captions", None, ["role_set"], batch_rows=None):
        found.update(pc.unique(batch["role_set"]).to_pylist())  # type: ignore[attr-defined]
    return sorted(found)


def read_columns(store: StoreReader, role_set: str) -> CaptionColumns:
    """Read a role set's captions with what the judge and the filter made of them."""
    import polars as pl

    captions, scores = store.dataset("captions"), store.dataset("scores")
    here = pl.col("role_set") == role_set
    read = _read(captions, _CAPTIONS).with_row_index("row").filter(here)
    judged = _read(scores, _SCORES).with_row_index("score_row").filter(here)
    pairs = pl.DataFrame(
        store.read("pairs", None, _PAIRS, where=f"role_set = {sql_quoted(role_set)}")
    ).rename({"reason": "dropped"})
    key = ["shard", "caption_id"]
    frame = (
        read.drop("role_set")
        .join(judged.drop("role_set"), on=key, how="left", maintain_order="left")
        .join(pairs, on=key, how="left", maintain_order="left")
    )
    decision = (
        pl.when(pl.col("reason").is_not_null())
        .then(pl.lit(Decision.FAILED.value))
        .when(pl.col("kept"))
        .then(pl.lit(Decision.KEPT.value))
        .when(pl.col("kept").not_())
        .then(pl.lit(Decision.DROPPED.value))
        .otherwise(pl.lit(Decision.OPEN.value))
    )
    frame = frame.with_columns(
        decision.alias("decision"), pl.coalesce("reason", "dropped").alias("reason")
    ).drop("kept", "dropped")
    small = [pl.col(name).cast(pl.Categorical) for name in (*FILTERS, "image_id")]
    frame = frame.with_columns(small)
    values = {
        name: sorted(v for v in frame[name].unique().cast(str).to_list() if v) for name in FILTERS
    }
    return CaptionColumns(role_set, frame, captions, scores, values)


def _read(dataset: lance.LanceDataset | None, columns: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    if dataset is None:
        kinds = {"score": pl.Int32}
        return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in columns})
    read = pl.from_arrow(dataset.to_table(columns=list(columns), scan_in_order=True))
    assert isinstance(read, pl.DataFrame)
    return read
