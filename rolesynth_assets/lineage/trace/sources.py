"""The stored tables that a trace reads, at any version; small tables are read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rolesynth_assets.clip.checkpoint.recorded_trainings import RecordedTraining, read_trainings
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.lance.rows import refers_to
from rolesynth_assets.store.lance.schemas import holds_bytes, table_spec
from rolesynth_assets.store.tombstones import Tombstone, read_tombstones
from rolesynth_assets.training_sets.pins import Pin, read_pins

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.snapshot import TableReader

Row = dict[str, Any]
TRACED_TABLES = (
    *("cutoffs", "training_sets", "training_set_pins", "training_set_sizes", "trainings"),
    "benchmark_scores",
    *("r1_trainings", "r1_items", "r1_scores", "tombstones", "tombstone_artefacts"),
)
"""Small tables that a trace reads."""
SHORT = 12
"""Characters of a shortened id, which `rolesynth trace` accepts."""


@dataclass(frozen=True)
class Sources:
    """The stored state that a trace follows.

    Attributes:
        store: the Lance tables.
        small: the small tables; a snapshot of `TRACED_TABLES` suffices and is faster.
        data_root: folder of the checkpoints.
    """

    store: StoreReader
    small: TableReader
    data_root: DataPath

    def rows(self, table: str, where: str, version: int | None = None) -> list[Row]:
        """Read rows without their image bytes, sorted by key and partition.

        Raises:
            MissingVersionError: that version no longer exists.
        """
        spec = table_spec(table)
        columns = [f.name for f in spec.schema if not holds_bytes(f.type)]
        found = self.store.read(table, None, columns, where, version).to_pylist()
        return sorted(found, key=lambda row: [row[c] for c in (spec.key, *spec.partition_by)])

    def keyed(
        self, table: str, column: str, values: Iterable[str], version: int | None = None
    ) -> list[Row]:
        """Read the rows whose `column` names one of some `values`; none asks for nothing."""
        wanted = sorted(set(values))
        where = refers_to(table_spec(table), column, wanted)
        return self.rows(table, where, version) if wanted else []

    @cached_property
    def tombstones(self) -> dict[str, Tombstone]:
        """Withdrawn images by id."""
        return read_tombstones(self.small)

    @cached_property
    def cutoffs(self) -> list[Row]:
        """The current cuts of all role sets."""
        return self.small.read("cutoffs").to_dicts()

    @cached_property
    def marked(self) -> dict[str, list[str]]:
        """Withdrawn images by the digest of the training set or checkpoint that holds them."""
        marks: dict[str, list[str]] = {}
        for row in self.small.read("tombstone_artefacts").iter_rows(named=True):
            marks.setdefault(row["digest"], []).append(row["image_id"])
        return marks

    @cached_property
    def trainings(self) -> list[RecordedTraining]:
        """All CLIP checkpoints, those that were overwritten included."""
        return read_trainings(self.small, self.data_root)

    @cached_property
    def scores(self) -> list[Row]:
        """All rows of ``benchmark_scores``."""
        frame = self.small.read("benchmark_scores")
        return frame.sort("benchmark", "recipe", "seed", "metric").to_dicts()

    @cached_property
    def pins(self) -> list[Pin]:
        """Pins of training sets in use: a recipe's current one, a checkpoint's or a score's."""
        current = {
            (row["recipe"], row["digest"])
            for row in self.small.read("training_sets").iter_rows(named=True)
        }
        scored = {row["checkpoint_digest"] for row in self.scores}
        current |= {
            (t.recipe, t.training_set_digest)
            for t in self.trainings
            if t.folder is not None or t.weights_digest in scored
        }
        return [pin for pin in read_pins(self.small) if (pin.recipe, pin.digest) in current]

    @cached_property
    def r1_trainings(self) -> list[Row]:
        """All R1 checkpoints that were recorded."""
        return self.small.read("r1_trainings").sort("recipe", "seed").to_dicts()

    @cached_property
    def r1_scores(self) -> list[Row]:
        """All rows of ``r1_scores``."""
        frame = self.small.read("r1_scores")
        return frame.sort("benchmark", "recipe", "seed", "metric").to_dicts()

    def withdrawal(self, digest: str) -> str:
        """Return a warning that an artefact holds withdrawn images; empty if it holds none."""
        images = self.marked.get(digest, [])
        if not images:
            return ""
        named = ", ".join(short(image) for image in sorted(images)[:5])
        return f"holds {len(images)} withdrawn image{'s' * (len(images) > 1)}: {named}"


def short(key: str) -> str:
    """Return the beginning of an id."""
    return key[:SHORT]


def excerpt(text: str | None, width: int = 90) -> str:
    """Return a text on one line of at most `width` characters."""
    line = " ".join((text or "").split())
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def facts(*pairs: tuple[str, object]) -> dict[str, str]:
    """Return facts in the given order, without empty ones."""
    return {name: str(value) for name, value in pairs if value not in (None, "", (), [])}


def listed(values: Iterable[object]) -> str:
    """Return the distinct values in order, joined by commas."""
    return ", ".join(dict.fromkeys(str(value) for value in values))


def sampling(row: Row) -> str:
    """Return what was sent of a caption's sampling settings on one line."""
    settings = [
        ("temperature {:g}", row["temperature"]),
        ("top-p {:g}", row["top_p"]),
        ("{} tokens at most", row["max_tokens"]),
        ("seed {}", row["seed"]),
    ]
    sent = [text.format(value) for text, value in settings if value is not None]
    return ", ".join(sent) or "left to the server"
