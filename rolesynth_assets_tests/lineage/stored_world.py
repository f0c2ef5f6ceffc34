"""Stored rows from images to benchmark scores, made by the platform's own functions, no Dagster."""

import asyncio
from pathlib import Path

import polars as pl

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.clip.checkpoint.files import MANIFEST, Manifest
from rolesynth_assets.clip.checkpoint.recorded_trainings import record_training
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.lineage.trace.sources import TRACED_TABLES, Sources
from rolesynth_assets.pairs.cut import apply_cut, compute_cutoffs
from rolesynth_assets.pairs.cut_rows import cut_rows
from rolesynth_assets.pairs.scoring import write_scores
from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.roles.rows import role_rows
from rolesynth_assets.store.lance.schemas import PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.snapshot import Snapshot
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.training_sets.pins import Pin, pin_training_set, write_pin
from rolesynth_assets.training_sets.rows import selected_pairs, training_set, training_set_row
from rolesynth_assets_tests.captions.fake_engine import FakeEngine
from rolesynth_assets_tests.captions.image_rows import store_images
from rolesynth_assets_tests.defs.fake_models import hashed_score

ROLE_SET = "two"
TEMPLATES = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")
ROLES = [
    Role(name=name, responsibilities=f"Do {name}.", templates=TEMPLATES, system="Write.")
    for name in ("Observer", "Poet")
]


def recipe(name: str = "mine", **changes: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": name,
            "description": "Mine.",
            "role_set": ROLE_SET,
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 2, "batch_images": 16},
            **changes,
        }
    )


class StoredWorld:
    """A data root whose tables hold some shards; models are faked, all else is real.

    Attributes:
        images: image ids by shard, in order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root)
        self.small = SmallTables(root)
        self.images: dict[str, list[str]] = {}
        self.store.replace("roles", {"role_set": ROLE_SET}, role_rows(ROLE_SET, ROLES))

    @property
    def sources(self) -> Sources:
        """Fresh, as every command makes them."""
        return Sources(self.store, Snapshot(self.small, TRACED_TABLES), self.root)

    def add_shard(self, shard: str, numbers: range) -> list[str]:
        self.images[shard] = store_images(self.store, shard, numbers)
        return self.images[shard]

    def caption(self, model: str = "fake-captioner", run_id: str = "caption-run") -> None:
        """Caption and score all shards, then cut: what the assets up to filtered_pairs do."""
        for shard in self.images:
            where = (shard, ROLE_SET, ROLES)
            engine, judge = FakeEngine(model=model), FakeEngine(model="judge", write=hashed_score)
            asyncio.run(write_captions(self.store, engine, *where, run_id=run_id))
            asyncio.run(write_scores(self.store, judge, *where, run_id=f"score-{run_id}"))
        self.cut()

    def cut(self) -> None:
        where = {"role_set": ROLE_SET}
        scores = pl.DataFrame(self.store.read("scores", where))
        cutoffs = compute_cutoffs(scores, FilterPolicy(), len(ROLES))
        rows = cut_rows(cutoffs, ROLE_SET, "scores")
        self.small.replace("cutoffs", where, rows)
        for shard in self.images:
            both = {"shard": shard, **where}
            captions = pl.DataFrame(self.store.read("captions", both))
            of_shard = pl.DataFrame(self.store.read("scores", both))
            pairs = apply_cut(captions, of_shard, cutoffs)
            self.store.replace("pairs", both, pairs.select(PAIRS.schema.names).to_arrow())

    def train(self, chosen: Recipe, weights: str, seed: int = 0) -> Pin:
        """Pin the training set of a recipe, and leave a checkpoint and scores made of it."""
        version = self.store.version("pairs")
        pairs = selected_pairs(self.store, chosen, version)
        row = training_set_row(chosen, pairs, training_set(self.store, chosen, pairs), version)
        self.small.replace("training_sets", {"recipe": chosen.name}, row)
        pin = pin_training_set(self.store, chosen, pairs, row["digest"][0], version, "set-run")
        write_pin(self.store, self.small, pin)
        self.checkpoint(chosen, pin, pairs, weights, seed)
        self.score(chosen.name, seed, weights)
        return pin

    def checkpoint(
        self, chosen: Recipe, pin: Pin, pairs: pl.DataFrame, weights: str, seed: int
    ) -> None:
        manifest = Manifest(
            recipe=chosen.name,
            recipe_digest=chosen.digest,
            seed=seed,
            training_set_digest=pin.digest,
            init_digest="",
            pairs=pairs.height,
            images=pairs["image_id"].n_unique(),
            steps=6,
            device="cpu",
            precision="float32",
            weights_digest=weights,
            versions={},
        )
        folder = self.root / "checkpoints" / chosen.name / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).write_text(manifest.model_dump_json())
        record_training(self.small, manifest, f"train-{weights}")

    def score(self, name: str, seed: int, weights: str, value: float = 0.25) -> None:
        row = {
            "recipe": name,
            "seed": seed,
            "benchmark": "glyphs",
            "metric": "top1",
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "chance": 0.02,
            "n": 100,
            "checkpoint_digest": weights,
            "run_id": "bench-run",
        }
        where = {"recipe": name, "benchmark": "glyphs", "seed": seed}
        self.small.replace("benchmark_scores", where, pl.DataFrame([row]))
