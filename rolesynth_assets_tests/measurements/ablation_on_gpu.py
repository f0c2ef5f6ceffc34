"""The ablation of the embedded world at a size that decides, on one GPU with the domain code alone.

`python -m rolesynth_assets_tests.measurements.ablation_on_gpu --scenes 20000 --out DIR` draws
scenes, lets the nano MLLM caption and judge them, makes the cuts, trains CLIP with every embedded
recipe and several seeds, scores each checkpoint on the held-out scenes and their dev split, and
writes `ablation.json`, `hits.npz` and `ablation.md`. No training begins after `--minutes`: seeds
come one after the other, so that all recipes have equally many.

A machine without a renderer of vector images draws from artwork in a file: write it elsewhere with
`--write-sprites FILE` and pass `--sprites FILE`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):  # each of the processes has few cores
    os.environ.setdefault(_name, "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np  # noqa: E402

from rolesynth_assets.embedded.world.write import (  # noqa: E402
    WorldSize,
    write_dev_splits,
    write_world,
)
from rolesynth_assets.reports.ablation_record import ablation_record, record_markdown  # noqa: E402
from rolesynth_assets.reports.claims import findings  # noqa: E402
from rolesynth_assets_tests.measurements import ablation_captions as captions  # noqa: E402

CHUNK = 250
"""Pictures that a process draws, captions or decodes at a time."""
_started = time.perf_counter()


def main() -> None:
    """Run the stages one after the other and write the results."""
    asked = _arguments()
    if asked.write_sprites:
        captions.write_sprites(asked.write_sprites)
        return
    if asked.sprites:
        captions.use_sprites(asked.sprites)
    work, out = asked.work, asked.out
    for folder in (work, out):
        folder.mkdir(parents=True, exist_ok=True)
    size = WorldSize(shards=0, held_out=asked.held_out)
    pools = _Pools(asked.workers, asked.sprites)
    world = pools.submit(_write_benchmarks, work, size)
    chunks = [range(i, min(i + CHUNK, asked.scenes)) for i in range(0, asked.scenes, CHUNK)]
    pictures = [work / f"pictures-{chunk.start:06d}.pkl" for chunk in chunks]
    pools.run(
        captions.draw_pictures, [(p, size.seed, c) for p, c in zip(pictures, chunks, strict=True)]
    )
    world.result()
    _say(f"{asked.scenes} scenes and the benchmarks are drawn")
    written = [work / f"rows-{chunk.start:06d}.pkl" for chunk in chunks]
    counts = pools.run(
        captions.caption_and_judge,
        [(p, w, asked.batch) for p, w in zip(pictures, written, strict=True)],
    )
    said = {name: sum(count[name] for count in counts) for name in counts[0]}
    _say(f"captioned and judged: {said}")
    record = _trained(asked, pools, work, pictures, written)
    record |= {"captioning": said, "minutes": round((time.perf_counter() - _started) / 60, 1)}
    (out / "ablation.json").write_text(json.dumps(record, indent=1) + "\n")
    page = record_markdown(record)
    (out / "ablation.md").write_text(page)
    print(page)


def _trained(
    asked: argparse.Namespace,
    pools: _Pools,
    work: Path,
    pictures: Sequence[Path],
    written: Sequence[Path],
) -> dict[str, Any]:
    """Make cuts and training sets, train and score; return the record of it all."""
    from rolesynth_assets_tests.measurements import ablation_training as training

    recipes = training.recipes(asked.steps, asked.images_in_batch)
    if asked.recipes:
        recipes = {name: recipes[name] for name in asked.recipes.split(",")}
    rows = _rows_by_role_set(written)
    cuts = {
        name: training.write_pairs(of_set, name, work / f"pairs-{name}.parquet")
        for name, of_set in rows.items()
    }
    _say(f"cuts: {cuts}")
    pixels = pools.submit(training.keep_pixels, pictures, next(iter(recipes.values())), work)
    order = sorted(recipes, key=lambda name: recipes[name].cut != "all")  # largest first
    sizes = pools.run(training.write_training_set, [(recipes[name], work) for name in order])
    sets = dict(zip(order, sizes, strict=True))
    pixels.result()
    _say(f"training sets: {sets}")
    jobs = [
        (recipe, seed)
        for seed in range(asked.seeds)
        for recipe in recipes.values()
        if recipe.schedule.steps or seed == 0
    ]
    hits: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    for (recipe, seed), scored in pools.until(
        _started + 60 * asked.minutes,
        training.train_and_score,
        {(recipe.name, seed): (recipe, seed, work, work / "data") for recipe, seed in jobs},
    ):
        for task, of_images in scored.items():
            hits.setdefault((recipe, task), {})[seed] = of_images
    flat = {f"{r}|{t}|{s}": h for (r, t), by in hits.items() for s, h in by.items()}
    np.savez_compressed(
        asked.out / "hits.npz",
        **{k: h.astype(np.float16) for k, h in flat.items()},  # type: ignore[arg-type]
    )
    schedule = next(r.schedule for r in recipes.values() if r.schedule.steps)
    return ablation_record(
        hits,
        findings(hits),
        sets=sets,
        cuts=cuts,
        images=asked.scenes,
        schedule=f"{schedule.steps} steps of {schedule.batch_images} images",
        machine=_machine(),
    )


def _rows_by_role_set(written: Iterable[Path]) -> dict[str, list[dict[str, object]]]:
    by_id: dict[str, dict[object, dict[str, object]]] = {name: {} for name in captions.ROLE_SETS}
    for path in written:
        for name, of_set in pickle.loads(path.read_bytes()).items():
            for row in of_set:  # two scenes may be one picture, which has one set of captions
                by_id[name].setdefault(row["caption_id"], row)
    rows = {name: [*of_set.values()] for name, of_set in by_id.items()}
    first = rows["generic5"][0]["role"]
    rows["generic1"] = [
        {**row, "role_set": "generic1"} for row in rows["generic5"] if row["role"] == first
    ]
    return rows


def _write_benchmarks(work: Path, size: WorldSize) -> None:
    write_world(work / "data", size)
    write_dev_splits(work / "data", size)


class _Pools:
    """Processes that share the GPU."""

    def __init__(self, workers: int, sprites: Path | None) -> None:
        self._pool = ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(sprites,),
        )
        self._workers = workers

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._pool.submit(work, *args)

    def run(self, work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the results of calls in their order."""
        return [future.result() for future in [self.submit(work, *call) for call in calls]]

    def until(
        self, deadline: float, work: Callable[..., Any], calls: dict[Any, tuple[Any, ...]]
    ) -> Iterable[tuple[Any, Any]]:
        """Yield results by key as they come; no call begins after the deadline."""
        waiting, running = list(calls.items()), {}
        while waiting or running:
            while waiting and len(running) < self._workers and time.perf_counter() < deadline:
                key, call = waiting.pop(0)
                running[self.submit(work, *call)] = key
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                if error := future.exception():  # the others still make a table
                    _say(f"{key} failed: {error!r}")
                    continue
                _say(f"{key} is trained and scored; {len(waiting)} wait")
                yield key, future.result()
        if waiting:
            _say(f"out of time: {len(waiting)} trainings are left out")


def _begin(sprites: Path | None) -> None:
    if sprites:
        captions.use_sprites(sprites)


def _machine() -> str:
    import torch

    cores = len(os.sched_getaffinity(0))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{gpu}, {cores} cores, torch {torch.__version__}, Python {platform.python_version()}"


def _say(text: str) -> None:
    print(f"{time.perf_counter() - _started:6.0f} s  {text}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--steps", type=int, help="optimiser steps; by default the recipes' own")
    parser.add_argument("--images-in-batch", type=int, help="by default the recipes' own")
    parser.add_argument("--recipes", help="names with commas; by default all embedded ones")
    parser.add_argument("--batch", type=int, default=1000, help="captions written at once")
    parser.add_argument("--workers", type=int, default=max(1, len(os.sched_getaffinity(0)) - 2))
    parser.add_argument("--minutes", type=float, default=7.0, help="no training begins later")
    parser.add_argument("--work", type=Path, default=Path("/tmp/ablation"))
    parser.add_argument("--out", type=Path, default=Path("build/ablation"))
    parser.add_argument("--sprites", type=Path)
    parser.add_argument("--write-sprites", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
