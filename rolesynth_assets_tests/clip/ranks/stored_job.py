"""A small job in a data root, which processes of their own can train."""

from pathlib import Path

import pyarrow as pa

from rolesynth_assets.clip.ranks.job import Job
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.store.lance.schemas import IMAGES, PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.training_sets.rows import selected_pairs, training_set
from rolesynth_assets_tests.clip.conftest import make_world


def stored_job(root: Path, recipe: Recipe, name: str = "checkpoint") -> Job:
    """Store the small world as one shard, unless it is stored, and return a job on it."""
    store = Store(root)
    if not (root / "lance").exists():
        _store_world(store, recipe.role_set)
    version = store.version("pairs")
    data = training_set(store, recipe, selected_pairs(store, recipe, version))
    return Job(
        recipe=recipe,
        seed=3,
        data_root=root,
        pairs_version=version,
        training_set_digest=data.digest,
        checkpoint=root / name,
        pixel_bytes=10**8,
    )


def training_set_of(job: Job):
    store = Store(job.data_root)
    return training_set(store, job.recipe, selected_pairs(store, job.recipe, job.pairs_version))


def _store_world(store: Store, role_set: str) -> None:
    rows, images = make_world()
    pixels = [
        {
            "image_id": image,
            "shard": "s0",
            "source": image,
            "media_type": "image/png",
            "width": 40,
            "height": 32,
            "bytes": len(data),
            "data": data,
            "ordinal": place,
        }
        for place, (image, data) in enumerate(images.items())
    ]
    pairs = [
        {
            **row,
            "caption_id": f"c-{place}",
            "shard": "s0",
            "role_set": role_set,
            "role": "A",
            "length": "long",
            "score": 50,
            "kept": True,
            "reason": None,
        }
        for place, row in enumerate(rows.to_pylist())
    ]
    store.append("images", {"shard": "s0"}, pa.Table.from_pylist(pixels, schema=IMAGES.schema))
    store.replace(
        "pairs",
        {"shard": "s0", "role_set": role_set},
        pa.Table.from_pylist(pairs, schema=PAIRS.schema),
    )
