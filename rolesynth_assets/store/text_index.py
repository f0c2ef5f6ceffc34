"""The full-text index over a role set's captions, a Lance data set beside the tables.

It holds a copy of the texts, so that an index is built without the writers' locks and is replaced
as a whole. It can be deleted at any time and made again from the captions. An index has one writer
at a time; after each write it looks for images that were withdrawn meanwhile.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.atomic_files import left_drafts, replaced_folder, write_text
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.tombstones import withdrawn_images

if TYPE_CHECKING:
    import lance
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

MOST_HITS = 5_000
"""Captions that one search returns at most, the best first."""
BATCH_ROWS = 65_536
"""Texts held at once while an index is built."""
STOP_WORDS = tuple(
    "a an and are as at be by for from in is it its of on or that the their there this to was were "
    "which with".split()
)
"""Words that say nothing; "no", "not" and "without" are left in, because in a caption they do."""
COLUMNS = ("caption_id", "image_id", "text")
_FACTS, _TEXTS = "facts.json", "texts"
MEMORY_MB = 512
"""Memory for building an index, MiB."""


@dataclass(frozen=True)
class IndexFacts:
    """What an index holds.

    Attributes:
        captions: number of texts.
        captions_version: version of the table ``captions`` that they were read from.
        withdrawn: number of texts of that version that are left out, because their image was
            withdrawn since.
    """

    captions: int
    captions_version: int
    withdrawn: int = 0


class TextIndex:
    """The index of one role set.

    Args:
        root: data root.
        role_set: name of the role set.
    """

    def __init__(self, root: Path | str, role_set: str) -> None:
        self.folder = DataPaths(root).text_index(role_set)
        self._root, self._role_set = root, role_set

    @property
    def facts(self) -> IndexFacts | None:
        """What the index holds; None where there is no index."""
        path = self.folder / _FACTS
        return IndexFacts(**json.loads(path.read_text())) if path.is_file() else None

    def build(self, store: StoreReader) -> IndexFacts:
        """Read the captions of the role set and put a new index in the place of the old one.

        Captions of images that are withdrawn before the end are left out.

        Raises:
            StoreError: another process has been writing the index for too long.
        """
        with self._writing():
            version = store.version("captions")
            return self._settled(self._write(self._stored(store, version), version))

    def forget(self, images: Iterable[str]) -> bool:
        """Make the index anew without the captions of withdrawn images, if it holds some.

        It waits for a writer of the index, and deletes what a killed one has left behind.

        Returns:
            Whether the index held some.

        Raises:
            StoreError: another process has been writing the index for too long.
        """
        gone = list(images)
        with self._writing():
            for left in left_drafts(self.folder):
                shutil.rmtree(left)
            if held := self.holds(gone):
                self._settled(self._write_without(gone))
        return held

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

    def holds(self, images: Iterable[str]) -> bool:
        """Return whether the index has a caption of one of some images."""
        if self.facts is None:
            return False
        wanted = pa.array(list(images), pa.string())
        batches = self._open().scanner(columns=["image_id"]).to_batches()
        return any(_without(batch, wanted).num_rows < batch.num_rows for batch in batches)

    def _writing(self) -> AbstractContextManager[None]:
        return writer_lock(str(self._root), f"text_index_{self._role_set}")

    def _required(self) -> IndexFacts:
        if (facts := self.facts) is None:
            raise FileNotFoundError(f"role set {self._role_set!r} has no text index")
        return facts

    def _open(self) -> lance.LanceDataset:
        import lance

        self._required()
        return lance.dataset(str(self.folder / _TEXTS))

    def _settled(self, facts: IndexFacts) -> IndexFacts:
        """Take out images until none was withdrawn before the index had its name."""
        while self.holds(gone := withdrawn_images(self._root)):
            facts = self._write_without(gone)
        return facts

    def _write_without(self, images: Iterable[str]) -> IndexFacts:
        facts, gone = self._required(), pa.array(list(images), pa.string())
        batches = self._open().scanner(columns=list(COLUMNS)).to_batches()
        spoken = facts.captions + facts.withdrawn
        left = (_without(batch, gone) for batch in batches)
        return self._write(left, facts.captions_version, spoken)

    def _write(
        self, batches: Iterable[pa.RecordBatch], version: int, spoken: int | None = None
    ) -> IndexFacts:
        """Replace the index; `spoken` is the number of texts in the version, if some are gone."""
        import lance

        schema = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
        with replaced_folder(self.folder) as draft:
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            dataset = lance.write_dataset(reader, str(draft / _TEXTS))
            if count := dataset.count_rows():
                dataset.create_scalar_index(
                    "text",
                    "INVERTED",
                    with_position=False,
                    stem=True,
                    remove_stop_words=True,
                    custom_stop_words=list(STOP_WORDS),
                    memory_limit=MEMORY_MB,
                )
            facts = IndexFacts(count, version, 0 if spoken is None else spoken - count)
            write_text(draft / _FACTS, json.dumps(asdict(facts)))
        return facts

    def _stored(self, store: StoreReader, version: int) -> Iterator[pa.RecordBatch]:
        partition, spoken = {"role_set": self._role_set}, "text IS NOT NULL"
        for batch in store.batches("captions", partition, COLUMNS, spoken, version, BATCH_ROWS):
            yield pa.RecordBatch.from_arrays(batch.columns, names=list(COLUMNS))


def forget_images(root: Path | str, images: Iterable[str]) -> list[str]:
    """Take the captions of withdrawn images out of every index.

    Returns:
        The role sets whose index held some.
    """
    folder, gone = DataPaths(root).text_indexes, list(images)
    # a hidden folder is the draft of a writer, at work or killed
    found = folder.iterdir() if folder.is_dir() else ()
    names = {path.name.lstrip(".").partition(".lance")[0] for path in found}
    return [name for name in sorted(names) if TextIndex(root, name).forget(gone)]


def _without(batch: pa.RecordBatch, images: pa.Array) -> pa.RecordBatch:
    import pyarrow.compute as pc

    found = pc.is_in(batch.column("image_id"), images)  # type: ignore[attr-defined]
    return batch.filter(pc.invert(found))  # type: ignore[attr-defined]
