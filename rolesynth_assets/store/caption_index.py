"""An index over a role set's captions: a Lance data set beside the tables, replaced as a whole.

It holds copies of what it needs, so that it is built without the writers' locks. Of one in a bucket
a local copy is read. It can be deleted
at any time and made again from the captions. An index has one writer at a time; after each write it
looks for images that were withdrawn meanwhile.
"""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import left_drafts, replaced_folder, write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import file_of, local_folder
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.tombstones import withdrawn_images

if TYPE_CHECKING:
    import lance

BATCH_ROWS = 65_536
"""Captions held at once while an index is built."""
_FACTS, _ROWS = "facts.json", "texts"


@dataclass(frozen=True)
class IndexFacts:
    """What an index holds.

    Attributes:
        captions: number of captions.
        captions_version: version of the table ``captions`` that they were read from.
        withdrawn: number of captions of that version that are left out, because their image was
            withdrawn since.
    """

    captions: int
    captions_version: int
    withdrawn: int = 0


class CaptionIndex(ABC):
    """The index of one role set; a subclass says what it holds and how it is searched.

    Args:
        root: data root.
        role_set: name of the role set.
    """

    kind: ClassVar[str]
    """Name of the folder of all indexes of this kind."""
    schema: ClassVar[pa.Schema]
    """Columns of the data set; ``caption_id`` and ``image_id`` are among them."""

    def __init__(self, root: DataPath | str, role_set: str) -> None:
        self.folder = DataPaths(root).caption_index(self.kind, role_set)
        self._root, self._role_set = root, role_set

    @property
    def facts(self) -> IndexFacts | None:
        """What the index holds; None where there is no index."""
        path = file_of(self.folder, _FACTS)
        return None if path is None else IndexFacts(**json.loads(path.read_text()))

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
            for left in left_drafts(self.folder) if isinstance(self.folder, Path) else ():
                shutil.rmtree(left)
            if held := self.holds(gone):
                self._settled(self._write_without(gone))
        return held

    def holds(self, images: Iterable[str]) -> bool:
        """Return whether the index has a caption of one of some images."""
        if self.facts is None:
            return False
        wanted = pa.array(list(images), pa.string())
        batches = self._open().scanner(columns=["image_id"]).to_batches()
        return any(_without(batch, wanted).num_rows < batch.num_rows for batch in batches)

    def _writing(self) -> AbstractContextManager[object]:
        return writer_lock(str(self._root), f"{self.kind}_{self._role_set}")

    def _required(self) -> IndexFacts:
        if (facts := self.facts) is None:
            said = self.kind.replace("_", " ")
            raise FileNotFoundError(f"role set {self._role_set!r} has no {said}")
        return facts

    def _open(self) -> lance.LanceDataset:
        import lance

        self._required()
        return lance.dataset(str(local_folder(self.folder) / _ROWS))

    def _settled(self, facts: IndexFacts) -> IndexFacts:
        """Take out images until none was withdrawn before the index had its name."""
        while self.holds(gone := withdrawn_images(self._root)):
            facts = self._write_without(gone)
        return facts

    def _write_without(self, images: Iterable[str]) -> IndexFacts:
        facts, gone = self._required(), pa.array(list(images), pa.string())
        batches = self._open().scanner(columns=self.schema.names).to_batches()
        spoken = facts.captions + facts.withdrawn
        left = (_without(batch, gone) for batch in batches)
        return self._write(left, facts.captions_version, spoken)

    def _write(
        self, batches: Iterable[pa.RecordBatch], version: int, spoken: int | None = None
    ) -> IndexFacts:
        """Replace the index; `spoken` is the number of texts in the version, if some are gone."""
        import lance

        with replaced_folder(self.folder) as draft:
            reader = pa.RecordBatchReader.from_batches(self.schema, batches)
            dataset = lance.write_dataset(reader, str(draft / _ROWS))
            if count := dataset.count_rows():
                self._make_searchable(dataset, count)
            facts = IndexFacts(count, version, 0 if spoken is None else spoken - count)
            write_text(draft / _FACTS, json.dumps(asdict(facts)))
        return facts

    @abstractmethod
    def _make_searchable(self, dataset: lance.LanceDataset, count: int) -> None:
        """Add the index to a data set of `count` rows."""


def _without(batch: pa.RecordBatch, images: pa.Array) -> pa.RecordBatch:
    import pyarrow.compute as pc

    found = pc.is_in(batch.column("image_id"), images)  # type: ignore[attr-defined]
    return batch.filter(pc.invert(found))  # type: ignore[attr-defined]
