"""Row trace over a million captions; run this file with python, with a folder that may hold 5 GB.

Builds the tables once: 100,000 images, five roles, two lengths, their scores and pairs, a training
set of the kept fifth and one of a random fifth, three checkpoints of each. Then prints how long
`rolesynth trace` takes, the process's start included, and how long the tracing itself.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from rolesynth_assets.clip.checkpoint.files import Manifest
from rolesynth_assets.clip.checkpoint.recorded_trainings import record_training
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import CAPTIONS, IMAGES, PAIRS, ROLES, SCORES
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.training_sets.pins import pin_training_set, write_pin
from rolesynth_assets.training_sets.rows import selected_pairs

SHARDS, IMAGES_PER_SHARD = 10, 10_000
ROLE_SET, ROLE_NAMES, LENGTHS = "roles5", [f"Role {n}" for n in range(5)], ("long", "short")
WORDS = "red green small large round apple wooden table bright window cat street lamp blue".split()
PYTHON = "import sys, typer; from rolesynth_assets.cli.lineage.trace import trace; typer.run(trace)"


def write_shard(store: Store, number: int, images: int) -> None:
    """Write one shard's images, captions, scores and pairs."""
    shard = f"s-{number:04d}"
    ids = [digest("image", number, n) for n in range(images)]
    store.replace("images", {"shard": shard}, table(IMAGES.schema, image_rows(shard, ids)))
    both, rows = {"shard": shard, "role_set": ROLE_SET}, list(caption_rows(shard, ids))
    store.replace("captions", both, table(CAPTIONS.schema, rows))
    store.replace("scores", both, table(SCORES.schema, map(score_row, rows)))
    store.replace("pairs", both, table(PAIRS.schema, map(pair_row, rows)))


def table(schema: pa.Schema, rows: object) -> pa.Table:
    """Rows in a table's schema; required columns that are not given are empty or zero."""
    empty = {f.name: "" if f.type == pa.string() else 0 for f in schema if not f.nullable}
    filled = [empty | row for row in rows]  # type: ignore[attr-defined]
    return pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in filled], schema)


def image_rows(shard: str, ids: list[str]) -> Iterator[dict]:
    """Images of a few bytes: what a trace reads of them is their columns."""
    for ordinal, key in enumerate(ids):
        yield {"image_id": key, "shard": shard, "source": f"{key[:8]}.jpg", "data": b"jpeg"} | {
            "media_type": "image/jpeg",
            "ordinal": ordinal,
        }


def caption_rows(shard: str, ids: list[str]) -> Iterator[dict]:
    """Ten captions of each image, of 60 and of 12 words."""
    for image in ids:
        for role in ROLE_NAMES:
            for length in LENGTHS:
                key = digest("caption", image, role, length)
                draw = bytes.fromhex(key)
                words = [
                    WORDS[b % len(WORDS)] for b in (draw * 2)[: 60 if length == "long" else 12]
                ]
                yield {
                    "caption_id": key,
                    "shard": shard,
                    "role_set": ROLE_SET,
                    "image_id": image,
                    "role": role,
                    "role_fingerprint": digest("role", role),
                    "length": length,
                    "text": " ".join(words),
                    "model": "a model",
                    "run_id": f"run-{shard}",
                    "score": 1 + draw[-1] % 100,  # the first bytes sort the rows
                }


def score_row(row: dict) -> dict:
    """The judge's row for a caption."""
    named = {name: row[name] for name in ("shard", "role_set", "caption_id", "image_id", "length")}
    return named | {
        "score_id": digest("score", row["caption_id"]),
        "role": row["role"],
        "score": row["score"],
        "rationale": "True and fit for the role.",
        "judge": "a judge",
    }


def pair_row(row: dict) -> dict:
    """The filter's row for a caption."""
    kept = row["score"] > 80
    return {f: row[f] for f in PAIRS.schema.names if f in row} | {
        "kept": kept,
        "reason": None if kept else "below_cut",
    }


def train(store: Store, small: SmallTables, name: str) -> None:
    """Pin the training set of a shipped recipe and record three checkpoints of it."""
    recipe = load_recipes(None)[name]
    version = store.version("pairs")
    chosen = selected_pairs(store, recipe, version)
    pin = pin_training_set(store, recipe, chosen, digest("set", name), version, "set-run")
    write_pin(store, small, pin)
    row = pin.row.select("recipe", "role_set", "cut", "pairs_version", "digest", "recipe_digest")
    import polars as pl

    counts = [pl.lit(chosen.height).alias("pairs"), pl.lit(0).alias("images")]
    small.replace("training_sets", {"recipe": name}, row.with_columns(counts))
    for seed in range(3):
        manifest = Manifest(
            recipe=name,
            recipe_digest=recipe.digest,
            seed=seed,
            training_set_digest=pin.digest,
            init_digest="",
            pairs=chosen.height,
            images=0,
            steps=1,
            device="cpu",
            precision="float32",
            weights_digest=digest("weights", name, seed),
            versions={},
        )
        folder = Path(store.root) / "checkpoints" / name / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(manifest.model_dump_json())
        record_training(small, manifest, "train-run")


def build(root: Path, shards: int, images: int) -> None:
    """Build the tables, unless they are there."""
    store, small = Store(root), SmallTables(root)
    for number in range(shards):
        if not store.count("pairs", {"shard": f"s-{number:04d}"}):
            began = time.perf_counter()
            write_shard(store, number, images)
            print(
                f"shard {number + 1} of {shards}: {time.perf_counter() - began:.0f} s", flush=True
            )
    roles = [
        {"role_fingerprint": digest("role", n), "role_set": ROLE_SET, "name": n} for n in ROLE_NAMES
    ]
    words = {
        "role_set": ROLE_SET,
        "responsibilities": "Do it.",
        "system": "Write.",
        "generator": "by hand",
    }
    words |= dict.fromkeys(("long_template", "short_template"), "{responsibilities}")
    store.replace("roles", {"role_set": ROLE_SET}, table(ROLES.schema, [r | words for r in roles]))
    for name in ("roles5", "roles5_random_cut"):
        train(store, small, name)


def measure(root: Path, subject: str) -> None:
    """Print the seconds of one trace, as a command and within a process."""
    command = [sys.executable, "-c", PYTHON, subject, "--json"]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(
            command, env={"ROLESYNTH_DATA": str(root)}, capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - began)
    from rolesynth_assets.lineage.trace.sources import TRACED_TABLES, Sources
    from rolesynth_assets.store.small.snapshot import Snapshot

    began = time.perf_counter()
    snapshot = Snapshot(SmallTables(root), TRACED_TABLES)
    traced = trace(Sources(Store(root), snapshot, root), subject)
    inside = time.perf_counter() - began
    size = f"{len(traced.nodes)} nodes, {len(done.stdout):,} characters"
    print(f"{subject[:40]:<42} command {min(seconds):5.2f} s   tracing {inside:5.2f} s   {size}")


def main(root: Path, shards: int = SHARDS, images: int = IMAGES_PER_SHARD) -> None:
    """Build, trace, compact, trace again."""
    build(root, shards, images)
    store = Store(root)
    image = digest("image", shards // 2, images // 3)
    caption = digest("caption", image, ROLE_NAMES[2], "short")
    subjects = (image, f"caption:{caption}", caption[:12], f"image:{image[:12]}")
    artefacts = ("clip_checkpoints[roles5|0]", "training_sets[roles5_random_cut]")
    print(f"{store.count('captions'):,} captions, as they were written")
    for subject in (*subjects, *artefacts):
        measure(root, subject)
    for name in ("images", "captions", "scores", "pairs"):
        store.compact(name)
    print("after compaction, which indexes keys and partitions")
    for subject in (*subjects, *artefacts):
        measure(root, subject)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
