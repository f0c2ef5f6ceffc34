"""One large batch of ViT-B/16 on one GPU: encoded at once, and part by part.

`python -m rolesynth_assets_tests.measurements.measure_clip_batch` trains the shipped recipe for
some steps on pictures of noise, at random weights, with the batch whole and with several
micro-batches, and prints images a second (median of the later steps), the most memory taken and
the loss of the last step. Time and memory do not depend on what the pictures show.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.clip.train import BatchMemoryError, train
from rolesynth_assets_tests.clip.image_readers import in_memory

SIDE = 224
LONG = "A photograph of a quiet harbour in the evening. " * 12
SHORT = "A quiet harbour in the evening."


def noise_set(images: int, captions: int) -> TrainingSet:
    """Return distinct pictures of noise with as many captions each, half of them long."""
    rng = np.random.default_rng(0)
    encoded: dict[str, bytes] = {}
    for index in range(images):
        coarse = rng.integers(0, 256, (14, 14, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(buffer, "JPEG")
        encoded[f"{index:06d}"] = buffer.getvalue()
    rows = [
        {"image_id": name, "text": f"{LONG if turn % 2 else SHORT} View {turn} of {name}."}
        for name in encoded
        for turn in range(captions)
    ]
    return TrainingSet.from_rows(pa.Table.from_pylist(rows), in_memory(encoded))


def arm(recipe: Recipe, data: TrainingSet) -> str:
    """Train one recipe and return its row of the table."""
    torch.cuda.reset_peak_memory_stats()
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = train(
                recipe, data, Path(folder), 0, progress=lambda *_: ends.append(time.perf_counter())
            )
        except BatchMemoryError:
            torch.cuda.empty_cache()
            return "does not fit"
    peak = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.empty_cache()
    later = np.diff(ends)[len(ends) // 2 :]  # the first steps also tokenize and warm up
    speed = recipe.schedule.batch_images / np.median(later)
    return f"{speed:8.0f} images/s {peak:6.1f} GiB  loss {report.losses[-1].loss:.4f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="roles5_vit_b16")
    parser.add_argument("--batch", type=int, default=2048, help="images in a batch")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--micro-batches", type=int, nargs="+", default=[1024, 512, 256, 128])
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This measures a GPU's memory, and there is no GPU here.")
    recipe = load_recipes(None)[chosen.recipe]
    data = noise_set(chosen.batch, recipe.captions_per_image)
    device, pairs = torch.cuda.get_device_name(), data.pairs
    print(f"{device}: {recipe.model}, {chosen.batch} images, {pairs} captions")
    for micro_batch in (None, *chosen.micro_batches):
        schedule = recipe.schedule.model_copy(
            update={
                "epochs": None,
                "steps": chosen.steps,
                "batch_images": chosen.batch,
                "micro_batch": micro_batch,
            }
        )
        changed = recipe.model_copy(update={"init": "random", "schedule": schedule})
        print(f"micro-batch {micro_batch or 'none':>5}  {arm(changed, data)}", flush=True)


if __name__ == "__main__":
    main()
