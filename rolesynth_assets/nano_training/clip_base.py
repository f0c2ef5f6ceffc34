"""The pretrained CLIP base of the embedded world: ``python -m ...nano_training.clip_base --help``.

The papers fine-tune a pretrained CLIP. The base is that model for `rolesynth-nano`: trained with
InfoNCE on alt texts of scenes from another seed than the demo's, with a context of 77 tokens. It is
trained with the package's own trainer, so a killed run goes on where it ended.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import open_clip
import pyarrow as pa
import typer
from safetensors.torch import load_file

from rolesynth_assets.clip.base_weights import BASE, save_base
from rolesynth_assets.clip.checkpoint.files import WEIGHTS
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.recipe import BatchLayout, Cut, Loss, Optimizer, Recipe, Schedule
from rolesynth_assets.clip.train import train
from rolesynth_assets.embedded.world.scenes import draw, encode, sample_scene
from rolesynth_assets.nano_training.alt_texts import WRONG, alt_text

WORLD_SEED = 77
"""Seed of the scenes; the demo's world has another."""
TEXTS_PER_SCENE = 4


def main(
    out: Annotated[Path, typer.Option(help="File of the base's weights.")] = BASE,
    work: Annotated[
        Path | None, typer.Option(help="Folder of the unfinished training; by default temporary.")
    ] = None,
    scenes: Annotated[int, typer.Option(help="Scenes to train on.")] = 20_000,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = 128,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of weights and batches.")] = 5,
) -> None:
    """Train the CLIP base of the embedded world on alt texts and write its weights."""
    recipe = Recipe(
        name="base",
        description="The pretrained base of the embedded world.",
        role_set="alt_texts",
        cut=Cut.ALL,
        loss=Loss.INFONCE,
        layout=BatchLayout.RECTANGULAR,
        captions_per_image=1,
        model="rolesynth-nano",
        context_length=77,
        frozen_positions=0,
        optimizer=Optimizer(lr=lr, weight_decay=0.1, beta2=0.98),
        schedule=Schedule(steps=steps, batch_images=batch, warmup_steps=min(200, steps // 10)),
        seeds=(seed,),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = work or Path(temporary)
        rows = training_rows(scenes)
        training_set = TrainingSet.from_rows(rows, drawn_scenes)
        train(recipe, training_set, folder, seed, progress=_print_progress)
        save_base(load_file(folder / WEIGHTS), _tokens_of(rows), out)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


def training_rows(scenes: int) -> pa.Table:
    """Return image id and alt text, four of each scene."""
    rng = random.Random(WORLD_SEED)
    ids, texts = [], []
    for index in range(scenes):
        for _ in range(TEXTS_PER_SCENE):
            described = rng.randrange(scenes) if rng.random() < WRONG else index
            ids.append(f"{index:08d}")
            texts.append(alt_text(sample_scene(WORLD_SEED, described), rng))
    return pa.table({"image_id": ids, "text": texts})


def drawn_scenes(ids: Sequence[str]) -> Mapping[str, bytes]:
    """Draw scenes by image id; return encoded images."""
    return {one: encode(draw(sample_scene(WORLD_SEED, int(one)))) for one in ids}


def _tokens_of(rows: pa.Table) -> set[int]:
    tokenizer = open_clip.get_tokenizer("ViT-B-32")  # every tokenizer of CLIP is this one
    texts = rows["text"].unique().to_pylist()
    found = {0}  # padding
    for start in range(0, len(texts), 10_000):
        found.update(tokenizer(texts[start : start + 10_000]).unique().tolist())
    return found


def _print_progress(step: int, total: int, loss: float) -> None:
    if step % 50 == 0 or step == total:
        print(f"step {step:,} of {total:,}, loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
