"""Records of the training questions of each R1 checkpoint, including overwritten ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rolesynth_assets.r1.training.checkpoint import Provenance
    from rolesynth_assets.store.small.snapshot import TableReader
    from rolesynth_assets.store.small.tables import SmallTables


def record_r1_training(
    small: SmallTables, provenance: Provenance, item_ids: Sequence[str], run_id: str
) -> None:
    """Record a finished training and its questions.

    Args:
        small: the tables that keep the record.
        provenance: provenance of the checkpoint.
        item_ids: ids of the problems or seeds that it was trained on.
        run_id: the run that trained it.
    """
    import polars as pl

    items = {"data_digest": [provenance.data_digest] * len(item_ids), "item_id": list(item_ids)}
    frame = pl.DataFrame(items, schema={"data_digest": pl.String, "item_id": pl.String})
    small.replace("r1_items", {"data_digest": provenance.data_digest}, frame)
    where = {
        "recipe": provenance.recipe,
        "seed": provenance.seed,
        "weights_digest": provenance.weights_digest,
        "data_digest": provenance.data_digest,
    }
    small.replace("r1_trainings", where, pl.DataFrame([{**where, "run_id": run_id}]))


def read_r1_items(small: TableReader, data_digest: str) -> list[str]:
    """Return the ids of the questions with a data digest, sorted."""
    return sorted(small.read("r1_items", {"data_digest": data_digest})["item_id"])


def data_with(small: TableReader, item_ids: Sequence[str]) -> set[str]:
    """Return the digests of training data that contain any of the given problems or seeds."""
    import polars as pl

    items = small.read("r1_items").filter(pl.col("item_id").is_in(list(item_ids)))
    return set(items["data_digest"])
