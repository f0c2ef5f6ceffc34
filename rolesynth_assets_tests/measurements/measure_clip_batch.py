"""One large batch of ViT-B/16 on one GPU: the plain way, and as it is trained.

`python -m rolesynth_assets_tests.measurements.measure_clip_batch` trains the shipped recipe for
some steps on pictures of noise, at random weights, and prints for each way: images a second (median
of the later steps), the most memory taken, the loss of the last step, and how far the losses of all
steps are from those of the plain way. Time and memory do not depend on what the pictures show.

Ways: `plain` computes open_clip's blocks as they are and encodes every part again for its gradient;
`fused` computes the blocks by `rolesynth_assets.clip.features.fused_blocks`; `as trained` also
keeps the activations that fit.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from rolesynth_assets.clip import train as training
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.features.gradient_caching import PartMemory
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.clip.ranks.group import ALONE
from rolesynth_assets.clip.recipe import Precision, Recipe
from rolesynth_assets.clip.train import BatchMemoryError, train
from rolesynth_assets_tests.clip.image_readers import in_memory

SIDE = 224
LONG = "A photograph of a quiet harbour in the evening. " * 12
SHORT = "A quiet harbour in the evening."
WAYS = ("plain", "fused", "as trained")


def noise_set(images: int, captions: int) -> TrainingSet:
    """Return distinct pictures of noise with as many captions each, half of them long."""
    rng = np.random.default_rng(0)
    encoded: dict[str, bytes] = {}
    for index in range(images):
        coarse = rng.integers(0, 256, (14, 14, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(buffer, "JPEG")
        encoded[f"{index:06d}"] = buffer.getvalue()
    texts = [
        f"{LONG if turn % 2 else SHORT} View {turn} of {name}."
        for name in encoded
        for turn in range(captions)
    ]
    return TrainingSet(
        image_ids=tuple(encoded),
        texts=pa.array(texts, pa.large_string()),
        offsets=np.arange(0, len(texts) + 1, captions),
        images=in_memory(encoded),
    )


@contextmanager
def way(name: str) -> Iterator[None]:
    """Train the chosen way in a with statement."""
    keeps_none = mock.patch.object(PartMemory, "kept", lambda *_: 0)
    not_fused = mock.patch.object(training, "_fast", lambda *_: nullcontext())
    always = mock.patch.object(training, "WORTH_COMPILING", 0)
    with (
        not_fused if name == "plain" else always,
        nullcontext() if name == "as trained" else keeps_none,
    ):
        yield


def arm(recipe: Recipe, data: TrainingSet, name: str) -> tuple[str, list[float]]:
    """Train one recipe; return its row of the table and its losses."""
    torch.cuda.empty_cache()
    ends: list[float] = []
    torch.cuda.reset_peak_memory_stats()

    def note(*_: object) -> None:
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder, way(name):
        try:
            report = train(
                recipe, data, Path(folder), 0, progress=lambda *_: ends.append(time.perf_counter())
            )
        except BatchMemoryError:
            return "does not fit", []
    later = np.diff(ends)[len(ends) // 2 :]  # the first steps also tokenize and warm up
    speed = recipe.schedule.batch_images / np.median(later)
    peak = torch.cuda.max_memory_allocated() / 2**30
    losses = [point.loss for point in report.losses]
    return f"{speed:8.0f} images/s {peak:6.1f} GiB  loss {losses[-1]:.4f}", losses


def gradient(recipe: Recipe, data: TrainingSet, name: str) -> torch.Tensor:
    """Return the gradient of all parameters at the first batch, as one vector."""
    torch.manual_seed(0)
    with way(name):
        run = training._prepare(recipe, data, 0, ALONE.device(), None, ALONE)
        with training._fast(run, 1):
            training._gradients(run, 0, *next(iter(training._inputs(run, 0, 1))))
    parts = [p.grad.flatten() for p in run.model.module.parameters() if p.grad is not None]
    return torch.cat(parts)


def print_gradient_errors(recipe: Recipe) -> None:
    """Print how far the gradients of both ways in bf16 are from those in float32."""
    small = {"batch_images": 256, "micro_batch": 128, "steps": 1, "epochs": None}
    schedule = recipe.schedule.model_copy(update=small)
    recipe = recipe.model_copy(update={"init": "random", "schedule": schedule})
    data = noise_set(256, recipe.captions_per_image)
    exact = gradient(recipe.model_copy(update={"precision": Precision.FLOAT32}), data, "plain")
    for name in ("plain", "as trained"):
        apart = (gradient(recipe, data, name) - exact).norm() / exact.norm()
        print(f"gradient of {name} in bf16: {apart:.2e} of its length from float32", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="roles5_vit_b16")
    parser.add_argument("--batch", type=int, default=2048, help="images in a batch")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--micro-batches", type=int, nargs="+", default=[512])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--lr", type=float, default=1e-5, help="learning rate")
    parser.add_argument("--gradients", action="store_true", help="compare them with float32 first")
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This measures a GPU's memory, and there is no GPU here.")
    recipe = load_recipes(None)[chosen.recipe]
    data = noise_set(chosen.batch, recipe.captions_per_image)
    device, pairs = torch.cuda.get_device_name(), data.pairs
    print(f"{device}: {recipe.model}, {chosen.batch} images, {pairs} captions")
    optimizer = recipe.optimizer.model_copy(update={"lr": chosen.lr})
    if chosen.gradients:
        print_gradient_errors(recipe)
    plain: list[float] = []
    for micro_batch in chosen.micro_batches:
        schedule = recipe.schedule.model_copy(
            update={
                "epochs": None,
                "steps": chosen.steps,
                "batch_images": chosen.batch,
                "micro_batch": micro_batch,
                "warmup_steps": 0,
            }
        )
        changed = recipe.model_copy(
            update={"init": "random", "schedule": schedule, "optimizer": optimizer}
        )
        for name in chosen.ways:
            row, losses = arm(changed, data, name)
            plain = plain or losses
            apart = max((abs(a - b) for a, b in zip(losses, plain, strict=False)), default=0.0)
            print(
                f"micro-batch {micro_batch:>5}  {name:<10} {row}  losses within {apart:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
