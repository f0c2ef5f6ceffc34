"""One process that makes partitions in a bucket: `_bucket_writer.py ROOT LEDGER KEYS PART...`.

It pays for a row by a line in the ledger, which is on disk before the row is used, and stores rows
in micro-batches, as captioning does without the journal of replies.
"""

import os
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa

from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables

MICRO_BATCH = 8


def rows(keys: list[str]) -> pa.Table:
    """Rows of the table `pairs`."""
    count = len(keys)
    return pa.table(
        {
            "caption_id": pa.array(keys, pa.string()),
            "image_id": pa.array([f"image of {key}" for key in keys], pa.string()),
            "role": pa.array(["Observer"] * count, pa.string()),
            "length": pa.array(["short"] * count, pa.string()),
            "text": pa.array([f"text of {key}" for key in keys], pa.string()),
            "score": pa.array([50] * count, pa.int32()),
            "kept": pa.array([True] * count, pa.bool_()),
        }
    )


def make(root: str, ledger: Path, wanted: list[str], partition: dict[str, str]) -> None:
    """Bring a partition up to date, and note in a small table that it is."""
    store = Store(root)
    with store.making("pairs", partition, 300.0):
        plan = store.plan("pairs", partition, wanted)
        for start in range(0, len(plan.missing), MICRO_BATCH):
            some = list(plan.missing[start : start + MICRO_BATCH])
            with ledger.open("a") as file:
                file.writelines(f"{key}\n" for key in some)
                file.flush()
                os.fsync(file.fileno())
            store.append("pairs", partition, rows(some))
    where = {"role_set": partition["role_set"], "shard": partition["shard"]}
    counted = {"pairs_digest": store.digest("pairs", partition), "pairs_version": 0}
    counted |= {"kept": len(wanted), "candidates": len(wanted), "images": len(wanted)}
    SmallTables(root).replace("manifests", where, pl.DataFrame([{**where, **counted}]))


if __name__ == "__main__":
    _, root, ledger, keys, *parts = sys.argv
    for part in parts:
        wanted = [f"{part}-{n:05}" for n in range(int(keys))]
        make(root, Path(ledger), wanted, {"shard": part, "role_set": "roles5"})
