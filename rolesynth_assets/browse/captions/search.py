"""What a page must know of the search indexes of a role set, and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from rolesynth_assets.browse.captions.view import SearchBy, View
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.meaning_index import NEAREST, MeaningIndex
from rolesynth_assets.store.text_index import MOST_HITS, TextIndex

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from rolesynth_assets.browse.captions.columns import CaptionColumns

_one_model = Lock()


@dataclass(frozen=True)
class SearchState:
    """Whether captions can be searched.

    Attributes:
        asset: the asset whose index is missing or behind; the first one that a search reads.
        ready: whether there is every index that the search reads.
        behind: whether the captions have changed since one was made.
        most: captions that one search finds at most.
    """

    asset: str
    ready: bool
    behind: bool
    most: int

    @property
    def command(self) -> str:
        """The command that makes the index where it is missing or behind."""
        return f"rolesynth stale --asset {self.asset} --fix --missing"


def search_state(root: DataPath, view: View, columns: CaptionColumns) -> SearchState:
    """Return whether the role set of a view has its indexes, and whether one is behind."""
    now = columns.captions.version if columns.captions is not None else 0
    read = {
        asset: index(root, view.role_set).facts
        for asset, index, ways in (
            ("caption_index", TextIndex, (SearchBy.WORDS, SearchBy.BOTH)),
            ("meaning_index", MeaningIndex, (SearchBy.MEANING, SearchBy.BOTH)),
        )
        if view.searched in ways
    }
    absent = [asset for asset, facts in read.items() if facts is None]
    behind = [asset for asset, facts in read.items() if facts and facts.captions_version != now]
    most = MOST_HITS if view.searched is SearchBy.WORDS else NEAREST
    asset = (*absent, *behind, *read)[0]
    return SearchState(asset, ready=not absent, behind=bool(behind), most=most)


def hits_of(root: DataPath, view: View) -> pl.DataFrame | None:
    """Return what a view's search finds: ``caption_id`` and ``relevance``; None if it asks nothing.

    Raises:
        FileNotFoundError: the role set has no index.
    """
    import polars as pl

    if view.like:
        index = MeaningIndex(root, view.role_set)
        vector = index.vector_of(view.like)
        empty = pl.DataFrame(schema={"caption_id": pl.String, "relevance": pl.Float32})
        return index.search(vector) if vector is not None else empty
    if not view.q:
        return None
    if view.searched is SearchBy.WORDS:
        return TextIndex(root, view.role_set).search(view.q)
    near = MeaningIndex(root, view.role_set).search(meaning_of(view.q))
    if view.searched is SearchBy.MEANING:
        return near
    return fused(near, TextIndex(root, view.role_set).search(view.q, NEAREST))


def meaning_of(text: str) -> np.ndarray:
    """Embed a query; the first call loads the sentence model, which takes seconds."""
    from rolesynth_assets.pairs.diversity import sentence_embeddings

    with _one_model:
        return sentence_embeddings([text])[0]


def fused(near: pl.DataFrame, words: pl.DataFrame) -> pl.DataFrame:
    """Join what two searches found by the places in both (reciprocal rank fusion, K = 60).

    Args:
        near: ``caption_id`` and ``relevance`` by meaning, the best first.
        words: the same by words.
    """
    import polars as pl
    import pyarrow as pa
    from lancedb.rerankers import RRFReranker

    found = pl.concat([near["caption_id"], words["caption_id"]]).unique(maintain_order=True)
    # the reranker knows a row by its number
    numbers = pl.DataFrame({"caption_id": found}).with_row_index("_rowid")
    tables = [
        pa.table(
            {
                "_rowid": pa.array(rows["_rowid"].to_list(), pa.uint64()),
                "caption_id": pa.array(rows["caption_id"].to_list(), pa.string()),
            }
        )
        for rows in (
            part.select("caption_id").join(
                numbers, on="caption_id", how="left", maintain_order="left"
            )
            for part in (near, words)
        )
    ]
    ranked = pl.DataFrame(RRFReranker().rerank_hybrid("", *tables))
    return ranked.select("caption_id", pl.col("_relevance_score").alias("relevance"))
