"""The full-text index over a role set's captions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from rolesynth_assets.store.caption_index import BATCH_ROWS, CaptionIndex, IndexFacts

if TYPE_CHECKING:
    import lance
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

MOST_HITS = 5_000
"""Captions that one search returns at most, the best first."""
STOP_WORDS = tuple(
    "a an and are as at be by for from in is it its of on or that the their there this to was were "
    "which with".split()
)
"""Words that say nothing; "no", "not" and "without" are left in, because in a caption they do."""
_COLUMNS = ("caption_id", "image_id", "text")
MEMORY_MB = 512
"""Memory for building an index, MiB."""


class TextIndex(CaptionIndex):
    """The full-text index of one role set."""

    kind: ClassVar[str] = "text_index"
    schema: ClassVar[pa.Schema] = pa.schema([pa.field(name, pa.string()) for name in _COLUMNS])

    def build(self, store: StoreReader) -> IndexFacts:
        """Read the captions of the role set and put a new index in the place of the old one.

        Captions of images that are withdrawn before the end are left out.

        Raises:
            StoreError: another process has been writing the index for too long.
        """
        with self._writing():
            version = store.version("captions")
            return self._settled(self._write(self._stored(store, version), version))

    def search(self, query: str, limit: int = MOST_HITS) -> pl.DataFrame:
        """Return the captions with words of a query, the best first.

        Args:
            query: words; those of a caption count without their endings.
            limit: captions returned at most.

        Returns:
            ``caption_id`` and ``relevance`` (BM25), one row for each caption.

        Raises:
            FileNotFoundError: there is no index.
        """
        import polars as pl

        dataset = self._open()
        empty = pl.DataFrame(schema={"caption_id": pl.String, "relevance": pl.Float32})
        if not query.strip() or not dataset.count_rows():
            return empty
        found = dataset.to_table(
            columns=["caption_id", "_score"], full_text_query=query, limit=limit
        )
        hits = pl.from_arrow(found)
        assert isinstance(hits, pl.DataFrame)
        # a caption may be in two shards; its text is the same
        named = hits.select("caption_id", pl.col("_score").alias("relevance"))
        return named.unique("caption_id", keep="first", maintain_order=True)

    def _make_searchable(self, dataset: lance.LanceDataset, count: int) -> None:
        dataset.create_scalar_index(
            "text",
            "INVERTED",
            with_position=False,
            stem=True,
            remove_stop_words=True,
            custom_stop_words=list(STOP_WORDS),
            memory_limit=MEMORY_MB,
        )

    def _stored(self, store: StoreReader, version: int) -> Iterator[pa.RecordBatch]:
        partition, spoken = {"role_set": self._role_set}, "text IS NOT NULL"
        for batch in store.batches("captions", partition, _COLUMNS, spoken, version, BATCH_ROWS):
            yield pa.RecordBatch.from_arrays(batch.columns, names=list(_COLUMNS))
