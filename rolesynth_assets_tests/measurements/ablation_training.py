"""Training sets, trainings and scores of an ablation that runs in several processes on one GPU."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch

from rolesynth_assets.benchmarks.encoder import ClipEncoder, _decode
from rolesynth_assets.benchmarks.evaluate import measure
from rolesynth_assets.benchmarks.intervals.paired import hits_per_image
from rolesynth_assets.benchmarks.tasks import Task, load_tasks
from rolesynth_assets.clip.checkpoint.save_load import load_checkpoint
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixels import PixelSource
from rolesynth_assets.clip.data.tokens import TokenSource
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.clip.model import build_model
from rolesynth_assets.clip.recipe import Recipe, Schedule
from rolesynth_assets.clip.train import train
from rolesynth_assets.pairs.cut import apply_cut, compute_cutoffs
from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.store import tombstones
from rolesynth_assets.training_sets.own_cut import own_cut
from rolesynth_assets.training_sets.rows import training_rows
from rolesynth_assets.training_sets.select import select_rows

# no scene is withdrawn here, and the device has no DuckDB to ask
tombstones.read_tombstones = lambda small: {}

TASKS = ("scenes_long", "scenes_short", "scenes_long_dev", "scenes_short_dev", "glyphs")
_SCHEMA = {"score": pl.Int32, "text": pl.String, "reason": pl.String}


def recipes(steps: int | None, batch: int | None) -> dict[str, Recipe]:
    """Return the embedded recipes, all with the same schedule; by default their own."""
    found = {n: r for n, r in load_recipes(None).items() if r.model == "rolesynth-nano"}
    return {name: _scheduled(recipe, steps, batch) for name, recipe in found.items()}


def _decoded_already(ids: Sequence[str]) -> dict[str, bytes]:
    return {}


def _hits(encoder: ClipEncoder, task: Task, data_root: Path) -> np.ndarray:
    return hits_per_image(measure(encoder, task, data_root, batch=500).measurements)


def _scheduled(recipe: Recipe, steps: int | None, batch: int | None) -> Recipe:
    own = recipe.schedule
    if own.steps == 0:
        return recipe
    steps, batch = steps or own.steps, batch or own.batch_images
    warmup = max(1, (steps or 0) // 10)
    schedule = Schedule(steps=steps, batch_images=batch, warmup_steps=warmup)
    return recipe.model_copy(update={"schedule": schedule})


def write_pairs(rows: Sequence[dict[str, object]], role_set: str, out: Path) -> dict[str, int]:
    """Make the cut of a role set and write its pairs; return counts."""
    frame = pl.DataFrame(rows, schema_overrides={"score": pl.Int32, "text": pl.String})
    chosen = load_role_sets(None)[role_set]
    policy: FilterPolicy = chosen.filter
    scores = frame.filter(pl.col("text").is_not_null())
    cutoffs = compute_cutoffs(scores, policy, chosen.role_count)
    pairs = apply_cut(frame.with_columns(pl.lit(role_set).alias("role_set")), scores, cutoffs)
    pairs.write_parquet(out)
    kept = pairs.filter("kept")
    return {
        "captions": pairs.height,
        "kept": kept.height,
        "images": pairs["image_id"].n_unique(),
        "images_covered": kept["image_id"].n_unique(),
    }


def write_training_set(recipe: Recipe, folder: Path) -> dict[str, int]:
    """Select a recipe's rows, tokenize them, and write both; return counts."""
    pairs = pl.read_parquet(folder / f"pairs-{recipe.role_set}.parquet")
    decided = own_cut(pairs, recipe)
    chosen = select_rows(decided.decide(pairs) if decided else pairs, recipe)
    rows = training_rows(recipe, chosen)
    data = TrainingSet.from_rows(rows, _decoded_already)
    TokenSource(data, build_model(recipe).tokenizer, _cache(folder))
    (folder / f"set-{recipe.name}.pkl").write_bytes(pickle.dumps(rows))
    return {"pairs": data.pairs, "images": len(data.image_ids)}


def keep_pixels(pictures: Sequence[Path], recipe: Recipe, folder: Path) -> None:
    """Decode all pictures at the model's resolution, once for all trainings."""
    data: dict[str, bytes] = {}
    for path in pictures:
        data |= dict(pickle.loads(path.read_bytes()))
    rows = pl.DataFrame({"image_id": list(data), "text": ["-"] * len(data)}).to_arrow()
    every = TrainingSet.from_rows(rows, lambda ids: {one: data[one] for one in ids})
    preprocess = build_model(recipe).preprocess
    # threads: the other processes are at work, and small drawings decode fast
    PixelSource(every, preprocess, kept=_cache(folder), workers=3).close()


def _cache(folder: Path) -> InputCache:
    return InputCache(folder, 64 * 1024**3)


_PIXELS: dict[int, torch.Tensor] = {}
_TOKENS: dict[str, torch.Tensor] = {}


class _KeepingEncoder(ClipEncoder):
    """A `ClipEncoder` that decodes each picture and tokenizes each text once a process."""

    def encode_images(self, images: list[bytes]) -> np.ndarray:
        for index, data in enumerate(images):
            if hash(data) not in _PIXELS:
                _PIXELS[hash(data)] = self.preprocess(_decode(index, data))
        pixels = torch.stack([_PIXELS[hash(data)] for data in images])
        with torch.inference_mode():
            features = self.model.encode_image(pixels.to(self.device)).float()
            return torch.nn.functional.normalize(features, dim=-1).cpu().numpy()


def train_and_score(
    recipe: Recipe, seed: int, folder: Path, data_root: Path, tasks: Sequence[str] = TASKS
) -> dict[str, np.ndarray]:
    """Train one recipe with one seed; return hits per image by benchmark."""
    rows = pickle.loads((folder / f"set-{recipe.name}.pkl").read_bytes())
    data = TrainingSet.from_rows(rows, _decoded_already)
    checkpoint = folder / "checkpoints" / f"{recipe.name}-{seed}"
    train(recipe, data, checkpoint, seed, save_every=10**9, kept=_cache(folder))
    model, preprocess, tokenizer = load_checkpoint(checkpoint)
    shutil.rmtree(checkpoint)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def kept_tokens(texts: list[str]) -> torch.Tensor:
        new = [text for text in texts if text not in _TOKENS]
        if new:
            _TOKENS.update(zip(new, tokenizer(new), strict=True))
        return torch.stack([_TOKENS[text] for text in texts])

    encoder = _KeepingEncoder(model.to(device), preprocess, kept_tokens)
    known = load_tasks(None)
    return {name: _hits(encoder, known[name], data_root) for name in tasks}
