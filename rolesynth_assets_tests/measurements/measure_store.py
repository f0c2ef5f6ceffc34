"""The Lance tables at size: upkeep and the images of a batch, each against the plain way.

`python -m rolesynth_assets_tests.measurements.measure_store --images 10000 100000 1000000` makes a
table of small images of noise in shards of 10,000, in files as ingest writes them, and prints
images a second for random batches of 2,048 by the ids in IN lists, one a shard (the plain way), and
by row address; and the time of 32 images of a shard, as captioning reads them.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from rolesynth_assets.store.lance.image_rows import ImageRows
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store

SHARD = 10_000
BYTES = 200
FILE_ROWS = 2_000
BATCH = 2_048


def image_ids(start: int, end: int) -> list[str]:
    """Return the ids of numbered images."""
    return [hashlib.sha256(b"%d" % number).hexdigest() for number in range(start, end)]


def shard_of(number: int) -> str:
    """Return the shard of a numbered image."""
    return f"s{number // SHARD:05}"


def batches(images: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all images, one batch a file."""
    noise = np.random.default_rng(0)
    for start in range(0, images, FILE_ROWS):
        rows = min(FILE_ROWS, images - start)
        data = noise.bytes(BYTES * rows)
        columns = {
            "image_id": image_ids(start, start + rows),
            "shard": [shard_of(start)] * rows,
            "source": [f"{n}.png" for n in range(start, start + rows)],
            "media_type": ["image/png"] * rows,
            "width": [8] * rows,
            "height": [8] * rows,
            "bytes": [BYTES] * rows,
            "data": [data[n * BYTES : (n + 1) * BYTES] for n in range(rows)],
            "ordinal": list(range(start, start + rows)),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=IMAGES.schema)


def write_images(root: Path, images: int) -> Store:
    """Write a table of images as many ingests leave it."""
    import lance

    store = Store(root)
    reader = pa.RecordBatchReader.from_batches(IMAGES.stored_schema, batches(images))
    lance.write_dataset(reader, store._files.uri(IMAGES), max_rows_per_file=FILE_ROWS)
    return store


def seconds(work: Callable[[int], object], times: int) -> float:
    """Return the median seconds of a work that is done some times."""
    taken = []
    for turn in range(times):
        began = time.perf_counter()
        work(turn)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def plain_batch(store: Store, ids: list[str], numbers: np.ndarray) -> None:
    """Read images by one IN list for each shard."""
    by_shard: dict[str, list[str]] = {}
    for number in numbers.tolist():
        by_shard.setdefault(shard_of(number), []).append(ids[number])
    for shard, asked in by_shard.items():
        store.image_bytes(asked, shard)


def measure(images: int) -> None:
    """Measure at one size and print."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        store, ids = write_images(Path(folder), images), image_ids(0, images)
        picks = [rng.choice(images, BATCH, replace=False) for _ in range(7)]
        chosen = [[ids[number] for number in pick.tolist()] for pick in picks]
        plain = seconds(lambda turn: plain_batch(store, ids, picks[turn]), 1)
        began = time.perf_counter()
        store.maintain("images")
        upkeep = time.perf_counter() - began
        began = time.perf_counter()
        rows = ImageRows(store, ids)
        once = time.perf_counter() - began
        fast = seconds(lambda turn: rows.read(chosen[turn]), 7)
        shard = shard_of(images // 2)
        here = sorted(ids[images // 2 // SHARD * SHARD :][:SHARD])  # captions are wanted by id
        plain_32 = seconds(lambda turn: store.image_bytes(here[32 * turn :][:32], shard), 9)
        of_shard = ImageRows(store, here, shard)
        fast_32 = seconds(lambda turn: of_shard.read(here[32 * turn :][:32]), 9)
    print(
        f"{images:>9,} images | batch of {BATCH:,}: plain {BATCH / plain:7.0f}/s, by address "
        f"{BATCH / fast:7.0f}/s, x {plain / fast:6.1f} | map once {once:.2f} s, upkeep "
        f"{upkeep:.2f} s | 32 of a shard: plain {1e3 * plain_32:6.1f} ms, by address "
        f"{1e3 * fast_32:5.2f} ms, x {plain_32 / fast_32:5.1f}",
        flush=True,
    )


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    for images in parser.parse_args().images:
        measure(images)


if __name__ == "__main__":
    main()
