"""The record of every finished training, including those whose checkpoint was overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.clip.checkpoint.files import MANIFEST, Manifest, read_manifest
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import folders_with

if TYPE_CHECKING:
    from rolesynth_assets.store.small.snapshot import TableReader
    from rolesynth_assets.store.small.tables import SmallTables


@dataclass(frozen=True)
class RecordedTraining:
    """One finished training.

    Attributes:
        recipe: name of the recipe.
        seed: training seed.
        weights_digest: sha256 of the weights.
        training_set_digest: `TrainingSet.digest` of its training set.
        run_id: the run that trained it; empty if only its folder is known.
        folder: folder of the checkpoint; None if another checkpoint has replaced it.
        manifest: manifest in that folder.
    """

    recipe: str
    seed: int
    weights_digest: str
    training_set_digest: str
    run_id: str = ""
    folder: DataPath | None = None
    manifest: Manifest | None = None

    @property
    def key(self) -> str:
        """The partition key, recipe and seed."""
        return f"{self.recipe}|{self.seed}"


def record_training(small: SmallTables, manifest: Manifest, run_id: str) -> None:
    """Record a finished training in the small tables."""
    import polars as pl

    where = {
        "recipe": manifest.recipe,
        "seed": manifest.seed,
        "weights_digest": manifest.weights_digest,
    }
    row = {**where, "training_set_digest": manifest.training_set_digest, "run_id": run_id}
    small.replace("trainings", where, pl.DataFrame([row]))


def read_trainings(small: TableReader, data_root: DataPath) -> list[RecordedTraining]:
    """Return all trainings: those on disk, and those that were recorded and then overwritten.

    Raises:
        CheckpointError: a manifest on disk is damaged.
    """
    found = {(m.recipe, m.seed, m.weights_digest): (f, m) for f, m in _on_disk(data_root)}
    trainings = []
    for row in small.read("trainings").iter_rows(named=True):
        place = found.pop((row["recipe"], row["seed"], row["weights_digest"]), None)
        folder, manifest = place or (None, None)
        trainings.append(RecordedTraining(**row, folder=folder, manifest=manifest))
    trainings += [
        RecordedTraining(*key, manifest.training_set_digest, folder=folder, manifest=manifest)
        for key, (folder, manifest) in found.items()
    ]
    return sorted(trainings, key=lambda t: (t.recipe, t.seed, t.folder is None, t.weights_digest))


def _on_disk(data_root: DataPath) -> Iterator[tuple[DataPath, Manifest]]:
    for folder in folders_with(DataPaths(data_root).clip_checkpoints, "*/seed-*", MANIFEST):
        yield folder, read_manifest(folder)
