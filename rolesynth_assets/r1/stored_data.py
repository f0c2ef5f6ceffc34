"""The training data of a recipe as the store holds it, with the ids of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.r1.data import NO_DATA, TrainingData, problem_data, seed_data
from rolesynth_assets.r1.recipe import Training

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader


@dataclass(frozen=True)
class StoredData:
    """What a policy is trained on, and the images behind it.

    Attributes:
        data: the questions.
        image_ids: sha256 of the stored bytes of each question's image, in the questions' order; a
            question's own image is brought to plain RGB and may have other bytes.
    """

    data: TrainingData
    image_ids: tuple[str, ...]


def stored_data(store: StoreReader, training: Training) -> StoredData:
    """Read what a kind of training uses, of all domains.

    Args:
        store: the Lance tables.
        training: which rows are taken.
    """
    if training is Training.NONE:
        return StoredData(NO_DATA, ())
    if training is Training.SEEDS_ONLY:
        rows = store.read("seeds")
        return _with_images(seed_data(rows), rows, "seed_id", "image_ids")
    rows = store.read("problems", where="kept")
    if training is Training.SYNTHETIC_WITHOUT_CONTEXT_OPTIMISATION:
        rows = _of_empty_contexts(rows, store)
    return _with_images(problem_data(rows), rows, "problem_id", "image_id")


def _of_empty_contexts(rows: pa.Table, store: StoreReader) -> pa.Table:
    """Leave out the rounds whose writers had a context of any seed before them."""
    contexts = store.read("contexts", columns=["domain", "round", "before"]).to_pylist()
    optimised = {(c["domain"], c["round"]) for c in contexts if c["before"]}
    places = zip(rows["domain"].to_pylist(), rows["round"].to_pylist(), strict=True)
    return rows.take([n for n, place in enumerate(places) if place not in optimised])


def _with_images(data: TrainingData, rows: pa.Table, key: str, image: str) -> StoredData:
    images = dict(zip(rows[key].to_pylist(), rows[image].to_pylist(), strict=True))
    return StoredData(data, tuple(images[item.item_id] for item in data.items))
