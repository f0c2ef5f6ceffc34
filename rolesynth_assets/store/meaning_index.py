"""The index of what a role set's captions mean: one sentence embedding each.

Embeddings are kept from one build to the next for texts that did not change, so that a new shard
costs the time of its own captions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from rolesynth_assets.store.caption_index import BATCH_ROWS, CaptionIndex, IndexFacts
from rolesynth_assets.store.digests import digest_each
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import lance
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

Embed = Callable[[Sequence[str]], np.ndarray]
"""From n texts to float32 embeddings of shape (n, d) with rows of length 1."""
Progress = Callable[[int, int], None]
"""Called with (done, total) captions."""
DIMENSIONS = 384
"""Length of an embedding of all-MiniLM-L6-v2."""
NEAREST = 1_000
"""Captions that one search returns at most, the nearest first."""
FLAT = 50_000
"""Captions up to which a search compares all of them, exactly, in some 30 ms."""
AT_ONCE = 1_024
"""Texts embedded at once."""
_ROWS_PER_PART = 4_096
_PARTS_SEARCHED = 24
_REFINE = 2  # so many times as many candidates are compared exactly
_TEXT_ID = 16  # hex digits: texts are compared within one role set


class MeaningIndex(CaptionIndex):
    """The embeddings of one role set's captions."""

    kind: ClassVar[str] = "meaning_index"
    schema: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("caption_id", pa.string()),
            pa.field("image_id", pa.string()),
            pa.field("text_id", pa.string()),
            pa.field("vector", pa.list_(pa.float16(), DIMENSIONS)),
        ]
    )

    def build(
        self, store: StoreReader, embed: Embed, progress: Progress | None = None
    ) -> IndexFacts:
        """Embed the captions of the role set and put a new index in the place of the old one.

        Captions of images that are withdrawn before the end are left out.

        Args:
            store: the tables.
            embed: the sentence model; it is asked for new texts alone.
            progress: called with (done, total) captions.

        Raises:
            StoreError: another process has been writing the index for too long.
        """
        with self._writing():
            version = store.version("captions")
            rows = self._embedded(store, version, embed, progress or (lambda done, total: None))
            return self._settled(self._write(rows, version))

    def search(self, vector: np.ndarray, limit: int = NEAREST) -> pl.DataFrame:
        """Return the captions nearest to an embedding, the nearest first.

        Args:
            vector: (384,) float32; its length does not matter.
            limit: captions returned at most.

        Returns:
            ``caption_id`` and ``relevance`` (the cosine), one row for each caption.

        Raises:
            FileNotFoundError: there is no index.
        """
        import polars as pl

        dataset = self._open()
        if not dataset.count_rows():
            return pl.DataFrame(schema={"caption_id": pl.String, "relevance": pl.Float32})
        nearest = {"column": "vector", "q": np.asarray(vector, np.float32), "k": limit}
        nearest |= {"metric": "cosine", "nprobes": _PARTS_SEARCHED, "refine_factor": _REFINE}
        found = pl.DataFrame(dataset.to_table(columns=["caption_id", "_distance"], nearest=nearest))
        named = found.select("caption_id", (1 - pl.col("_distance")).alias("relevance"))
        # a caption may be in two shards; its text is the same
        return named.unique("caption_id", keep="first", maintain_order=True)

    def vector_of(self, key: str) -> np.ndarray | None:
        """Return the embedding of a caption, or the mean of an image's; None if it has none.

        Args:
            key: whole id of a caption or an image.

        Raises:
            FileNotFoundError: there is no index.
        """
        where = f"({any_key('caption_id', [key])}) OR ({any_key('image_id', [key])})"
        rows = self._open().to_table(columns=["vector"], filter=where)
        return _matrix(rows["vector"]).mean(axis=0) if rows.num_rows else None

    def _embedded(
        self, store: StoreReader, version: int, embed: Embed, progress: Progress
    ) -> Iterator[pa.RecordBatch]:
        where, spoken = {"role_set": self._role_set}, "text IS NOT NULL"
        columns = ("caption_id", "image_id", "text")
        total, done = store.count("captions", where, spoken, version), 0
        known = self._known()
        for batch in store.batches("captions", where, columns, spoken, version, BATCH_ROWS):
            texts = batch.column("text").to_pylist()
            ids = [key[:_TEXT_ID] for key in digest_each(("meaning",), texts)]
            for start in range(0, len(texts), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                vectors = self._vectors(texts[part], ids[part], known, embed)
                flat = pa.array(vectors.astype(np.float16).reshape(-1))
                yield pa.RecordBatch.from_arrays(
                    [
                        *(batch.column(n).slice(start, AT_ONCE) for n in columns[:2]),
                        pa.array(ids[part], pa.string()),
                        pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS),
                    ],
                    schema=self.schema,
                )
                done += len(vectors)
                progress(done, total)

    def _known(self) -> dict[str, int]:
        """Return the row of the present index that holds each text."""
        if self.facts is None:
            return {}
        texts = self._open().to_table(columns=["text_id"], scan_in_order=True)["text_id"]
        return {key: row for row, key in enumerate(texts.to_pylist())}

    def _vectors(
        self, texts: Sequence[str], ids: Sequence[str], known: dict[str, int], embed: Embed
    ) -> np.ndarray:
        """Return the embeddings of texts, from the present index where it has them."""
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        held = [place for place, key in enumerate(ids) if key in known]
        new = [place for place, key in enumerate(ids) if key not in known]
        if held:
            different = sorted({known[ids[place]] for place in held})
            at = {row: number for number, row in enumerate(different)}
            stored = _matrix(self._open().take(different, columns=["vector"])["vector"])
            vectors[held] = stored[[at[known[ids[place]]] for place in held]]
        if new:
            vectors[new] = embed([texts[place] for place in new])
        return vectors

    def _make_searchable(self, dataset: lance.LanceDataset, count: int) -> None:
        if (
            count > FLAT
        ):  # one bit a dimension: small, made fast, and refined with the whole vectors
            parts = max(1, count // _ROWS_PER_PART)
            dataset.create_index("vector", "IVF_RQ", metric="cosine", num_partitions=parts)


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, DIMENSIONS).astype(np.float32)
