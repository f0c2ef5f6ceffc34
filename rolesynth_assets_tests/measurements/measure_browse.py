"""How fast `rolesynth browse` is at a million captions: `python -m` of this module.

It writes the tables of 100,000 images with ten captions each into a new data root, without models,
and asks the pages for what people ask: the first page, filtered and sorted ones, full text, the
nearest by meaning. The images are tiny, because a page loads only the pictures that it shows.
Embeddings are random points around a thousand centres; the sentence model takes no part.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from starlette.testclient import TestClient

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.settings import Settings
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import table_spec
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.meaning_index import DIMENSIONS, MeaningIndex
from rolesynth_assets.store.text_index import TextIndex

ROLE_SET, SHARD_IMAGES = "roles5", 10_000
ROLES = ("Observer", "Poet", "Analyst", "Narrator", "Responder")
ADDRESS = "http://127.0.0.1:3100"
WORDS = 20_000
"""Different words; they follow Zipf's law, as words do."""
ASKED = {
    "first page": "/images?role_set=roles5",
    "kept, one role": "/images?role_set=roles5&decision=kept&role=Poet",
    "lowest scores": "/images?role_set=roles5&sort=lowest",
    "roles disagree": "/images?role_set=roles5&sort=disagreement",
    "page 2,000": "/images?role_set=roles5&page=2000",
    "search": "/images?role_set=roles5&q=w40+w900+w12000",
    "images like one": f"/images?role_set=roles5&like={digest('image', 7)}",
}


def main() -> None:
    """Write the tables, ask, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = Store(root)
        began = time.perf_counter()
        for shard, first in enumerate(range(0, given.images, SHARD_IMAGES)):
            write_shard(
                store, f"s{shard:04d}", range(first, min(first + SHARD_IMAGES, given.images))
            )
        print(f"written in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        facts = TextIndex(root, ROLE_SET).build(store)
        print(f"index of {facts.captions:,} captions in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        MeaningIndex(root, ROLE_SET).build(store, embeddings)
        print(f"vectors with their index in {time.perf_counter() - began:.0f} s, without the model")
        measure(root, given.times)


def measure(root: Path, times: int) -> None:
    """Ask each page `times` times and print median and 95th percentile, warm."""
    client = TestClient(
        guarded_app(Desk(Settings(data_root=root, project=root)), [ADDRESS]), base_url=ADDRESS
    )
    began = time.perf_counter()
    client.get(ASKED["first page"]).raise_for_status()
    print(f"columns read and first page in {time.perf_counter() - began:.1f} s, cold\n")
    print("| asked | median, ms | p95, ms |\n|---|---|---|")
    for name, address in ASKED.items():
        took = list(timed(client, address, times))
        print(f"| {name} | {np.median(took):.0f} | {np.percentile(took, 95):.0f} |")
    index = TextIndex(root, ROLE_SET)
    took = []
    for number in range(times):
        began = time.perf_counter()
        index.search(f"w{40 + number} w{900 + number} w{12_000 + number}")
        took.append(1000 * (time.perf_counter() - began))
    print(f"| full text alone | {np.median(took):.0f} | {np.percentile(took, 95):.0f} |")
    near, took = MeaningIndex(root, ROLE_SET), []
    for vector in embeddings([str(number) for number in range(times)]):
        began = time.perf_counter()
        near.search(vector)
        took.append(1000 * (time.perf_counter() - began))
    print(f"| vector alone | {np.median(took):.0f} | {np.percentile(took, 95):.0f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of this process, the writing included: {peak:.2f} GiB")


def embeddings(texts: Sequence[str]) -> np.ndarray:
    """Return unit vectors near one of a thousand centres each."""
    rng = np.random.default_rng(sum(map(len, texts)))
    centres = np.random.default_rng(0).normal(size=(1000, DIMENSIONS)).astype(np.float32)
    rows = centres[rng.integers(0, 1000, len(texts))]
    rows = rows + rng.normal(size=rows.shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def timed(client: TestClient, address: str, times: int) -> Iterator[float]:
    """Yield the milliseconds of each answer."""
    for _ in range(times):
        began = time.perf_counter()
        client.get(address).raise_for_status()
        yield 1000 * (time.perf_counter() - began)


def write_shard(store: Store, shard: str, numbers: range) -> None:
    """Write images, captions, scores and pairs of a shard, all in columns."""
    rng = np.random.default_rng(numbers.start)
    images = [digest("image", number) for number in numbers]
    where = {"shard": shard, "role_set": ROLE_SET}
    count = len(images) * len(ROLES) * 2
    every = np.repeat(images, len(ROLES) * 2)
    roles = np.tile(np.repeat(ROLES, 2), len(images))
    lengths = np.tile(["long", "short"], len(images) * len(ROLES))
    scores = rng.integers(1, 101, count).astype(np.int32)
    words = np.minimum(rng.zipf(1.2, (count, 20)), WORDS)
    texts = [" ".join(f"w{word}" for word in row) for row in words]
    ids = [digest("caption", shard, number) for number in range(count)]
    about = {"caption_id": ids, "image_id": every, "role": roles, "length": lengths}
    put(
        store,
        "images",
        {"shard": shard},
        len(images),
        {"image_id": images, "data": [b"x"] * len(images)},
    )
    put(store, "captions", where, count, about | {"text": texts, "reason": [None] * count})
    judged = {"score_id": [digest("score", i) for i in ids], "score": scores}
    put(store, "scores", where, count, about | judged | {"reason": [None] * count})
    kept = scores > 80
    reasons = [None if k else "below_cut" for k in kept]
    put(
        store,
        "pairs",
        where,
        count,
        about | {"text": texts, "score": scores, "kept": kept, "reason": reasons},
    )


def put(store: Store, table: str, where: dict[str, str], count: int, given: dict) -> None:
    """Append rows whose other columns hold one value throughout."""
    columns = {}
    for field in table_spec(table).schema:
        if field.name in given:
            columns[field.name] = pa.array(given[field.name], field.type)
        elif field.name in where:
            columns[field.name] = pa.repeat(pa.scalar(where[field.name]), count)
        elif field.nullable:
            columns[field.name] = pa.nulls(count, field.type)
        else:
            plain = "x" if pa.types.is_string(field.type) else 1
            columns[field.name] = pa.repeat(pa.scalar(plain, field.type), count)
    store.append(table, where, pa.table(columns))


if __name__ == "__main__":
    main()
