"""The fan-ins of a role set at size: wall time and peak memory, each in a process of its own.

`python -m rolesynth_assets_tests.measurements.measure_fan_ins --captions 1000000` writes tables of
synthetic captions, scores and pairs in shards of 100,000 captions, puts them in order, and then
computes the cut, the manifest, the training set and the card. `plain` is the cut of all rows at
once. Digests are part of the cut, the manifest and the card.
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.pairs.coverage import images_covered
from rolesynth_assets.pairs.cut import SCORE_COLUMNS, compute_cutoffs
from rolesynth_assets.pairs.pair_manifest import manifest_rows, multiplicity
from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.reports.dataset_card_counts import count_card
from rolesynth_assets.store.lance.schemas import CAPTIONS, PAIRS, SCORES
from rolesynth_assets.store.lance.specification import TableSpec
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.shard_rows import ShardRows
from rolesynth_assets.training_sets.rows import selected_pairs, training_set

ROLE_SET = "five"
ROLES = 5
SHARD = 100_000
WORDS = "a red cube stands beside two yellow stars under a clear evening sky near the old harbour"


def shard_rows(spec: TableSpec, shard: int, rows: int) -> pa.Table:
    """Return a shard's rows of a table, ten captions an image."""
    dice = np.random.default_rng(shard)
    number = (np.arange(rows) + shard * SHARD).tolist()
    keys = [hashlib.sha256(b"c%d" % n).hexdigest() for n in number]
    score = np.clip(dice.normal(70, 12, rows).astype(int), 1, 100)
    kept = (score >= 80).tolist()
    known: dict[str, Any] = {
        "caption_id": keys,
        "score_id": [key[::-1] for key in keys],
        "image_id": [hashlib.sha256(b"i%d" % (n // 10)).hexdigest() for n in number],
        "shard": [f"s{shard:05}"] * rows,
        "role_set": [ROLE_SET] * rows,
        "role": [f"role {n // 2 % ROLES}" for n in number],
        "length": ["short" if n % 2 else "long" for n in number],
        "text": [f"{WORDS} {n}. " * (1 if n % 2 else 4) for n in number],
        "score": score,
        "kept": kept,
        "reason": [None if keep or spec is not PAIRS else "below_cut" for keep in kept],
    }
    columns = []
    for field in spec.schema:
        if field.name in known:
            columns.append(pa.array(known[field.name], field.type))
        elif field.nullable:
            columns.append(pa.nulls(rows, field.type))
        else:
            fill = "x" if pa.types.is_string(field.type) else 1
            columns.append(pa.repeat(pa.scalar(fill, field.type), rows))
    return pa.table(columns, schema=spec.stored_schema)


def write_tables(root: Path, captions: int) -> None:
    """Write captions, scores and pairs, one file a shard, and index them."""
    import lance

    store = Store(root)
    for spec in (CAPTIONS, SCORES, PAIRS):
        for shard in range(max(1, captions // SHARD)):
            rows = shard_rows(spec, shard, min(SHARD, captions))
            mode = "append" if shard else "create"
            lance.write_dataset(rows, store._files.uri(spec), mode=mode)
        store.maintain(spec.name)


def plain_cut(store: Store) -> object:
    """Compute the cut from one frame of all rows, as it was done before."""
    rows = pl.DataFrame(store.read("scores", {"role_set": ROLE_SET}, list(SCORE_COLUMNS)))
    cut = compute_cutoffs(rows, FilterPolicy(), ROLES)
    return cut, images_covered(rows, cut), store.digest("scores", {"role_set": ROLE_SET})


def cut(store: Store) -> object:
    """Compute the cut shard by shard, as `filter_cutoffs` does."""
    rows = ShardRows(store, "scores", ROLE_SET, SCORE_COLUMNS)
    found = compute_cutoffs(rows, FilterPolicy(), ROLES)
    return found, images_covered(rows, found), rows.digest()


def manifest(store: Store) -> object:
    """Compute what `pair_manifests` does."""
    rows = manifest_rows(store, ROLE_SET)
    columns = ["image_id", "role", "length", "kept"]
    return rows, multiplicity(ShardRows(store, "pairs", ROLE_SET, columns))


def trained(store: Store) -> object:
    """Select and digest a training set."""
    recipe = Recipe.model_validate(
        {
            "name": "mine",
            "description": "Mine.",
            "role_set": ROLE_SET,
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 1, "batch_images": 16},
        }
    )
    return training_set(store, recipe, selected_pairs(store, recipe, store.version("pairs"))).digest


WORK: dict[str, Callable[[Store], object]] = {
    "libraries alone": lambda store: store.version("pairs"),
    "plain cut": plain_cut,
    "filter_cutoffs": cut,
    "pair_manifests": manifest,
    "training_sets": trained,
    "dataset_card": lambda store: count_card(store, ROLE_SET),
}


def one(name: str, root: Path) -> None:
    """Do one work in this process and print what it took."""
    began = time.perf_counter()
    WORK[name](Store(root))
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:<16} {taken:7.1f} s   peak {peak:5.2f} GiB", flush=True)


def main() -> None:
    """Write the tables and measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--root", type=Path, help="folder of the tables; kept if it is given")
    parser.add_argument("--one", choices=WORK, help="do one work in this process")
    chosen = parser.parse_args()
    if chosen.one:
        one(chosen.one, chosen.root)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = chosen.root or Path(folder)
        if Store(root).version("pairs") == 0:
            write_tables(root, chosen.captions)
        print(f"{chosen.captions:,} captions", flush=True)
        for name in chosen.work:
            module = "rolesynth_assets_tests.measurements.measure_fan_ins"
            command = [sys.executable, "-m", module, "--root", str(root), "--one", name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
