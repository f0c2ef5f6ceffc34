"""The embedded world on disk: image shards, benchmarks, and the exact scenes in a separate file.

Shards are webdataset tars, which are read by the same code as a user's own. Each of them holds two
files that are not usable images, so that the table of rejects is not empty. Only evaluation reads
the file with the exact scenes.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.embedded.world.caption_grammar import reference
from rolesynth_assets.embedded.world.look_alikes import look_alike
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import (
    CANVAS,
    SIDES,
    Background,
    Scene,
    SceneObject,
    Size,
    draw,
    encode,
    sample_scene,
)
from rolesynth_assets.embedded.world.write_benchmark import write_classification, write_retrieval
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath

TRUTH = "truth.jsonl"
HELD_OUT = 1_000_000
"""Index of the first held-out scene."""
HELD_OUT_DEV = 2_000_000
"""Index of the first held-out scene of the dev splits."""
TEMPLATES = ("a picture of {c}", "one {c}", "the image shows {c}")
LICENCE = (
    "CC BY-SA 4.0. All emojis designed by OpenMoji, the open-source emoji and icon project; "
    "scenes composed from them."
)


@dataclass(frozen=True)
class WorldSize:
    """The size of the world to write."""

    seed: int = 2026
    shards: int = 3
    images_per_shard: int = 500
    held_out: int = 1000
    glyphs_per_kind: int = 4


DEMO_SIZE = WorldSize()


def write_world(data_root: DataPath, size: WorldSize = DEMO_SIZE) -> Path:
    """Write shards and benchmarks under `data_root`; return the folder of the shards.

    Nothing is written if the data root already holds this world. An interrupted write starts over.
    """
    paths = DataPaths(data_root)
    folder = paths.embedded_world
    shards = folder / "shards"
    made = folder / "world.json"
    if made.is_file() and json.loads(made.read_text()) == asdict(size):
        return shards
    for task in ("scenes_long", "scenes_short", "glyphs", "scenes_long_dev", "scenes_short_dev"):
        shutil.rmtree(paths.embedded_benchmarks / task, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    shards.mkdir(parents=True)
    with (folder / TRUTH).open("w") as truth:
        for shard in range(size.shards):
            _write_shard(shards / f"scenes-{shard:04d}.tar", shard, size, truth)
    _write_benchmarks(paths.embedded_benchmarks, size)
    write_text(made, json.dumps(asdict(size)))
    return shards


def read_truth(data_root: DataPath) -> dict[str, Scene]:
    """Return the scenes by image id; empty where there is no embedded world."""
    path = DataPaths(data_root).embedded_world / TRUTH
    if not path.is_file():
        return {}
    rows = map(json.loads, path.read_text().splitlines())
    return {row["image_id"]: Scene.from_json(row["scene"]) for row in rows}


def _write_shard(path: Path, shard: int, size: WorldSize, truth: io.TextIOBase) -> None:
    first = shard * size.images_per_shard
    with tarfile.open(path, "w") as tar:
        for index in range(first, first + size.images_per_shard):
            scene = sample_scene(size.seed, index)
            data = encode(draw(scene))
            _add(tar, f"scene-{index:06d}.jpg", data)
            row = {"image_id": sha256(data).hexdigest(), "index": index, "scene": scene.to_json()}
            truth.write(json.dumps(row) + "\n")
            if index == first:
                _add(tar, f"scene-{index:06d}-cut.jpg", data[: len(data) // 2])
                _add(tar, f"scene-{index:06d}-note.png", b"this is a note and no image\n")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _write_benchmarks(folder: Path, size: WorldSize) -> None:
    rng = random.Random(size.seed)
    _write_scenes(folder, size, HELD_OUT, "", rng)
    write_classification(
        folder / "glyphs",
        _glyphs(size, rng),
        class_names=[unicode_name(kind.glyph) for kind in KINDS],
        templates=TEMPLATES,
        extension="jpg",
    )


def write_dev_splits(data_root: DataPath, size: WorldSize = DEMO_SIZE) -> None:
    """Write the dev splits of the retrieval benchmarks, which an ablation chooses on.

    Nothing is written if they are there; `write_world` removes those of another world.
    """
    folder = DataPaths(data_root).embedded_benchmarks
    if not (folder / "scenes_short_dev").is_dir():
        shutil.rmtree(folder / "scenes_long_dev", ignore_errors=True)
        _write_scenes(folder, size, HELD_OUT_DEV, "_dev", random.Random(size.seed + 1))


def _write_scenes(
    folder: Path, size: WorldSize, first: int, split: str, rng: random.Random
) -> None:
    """Write the retrieval benchmarks on the held-out scenes from index `first` on."""
    scenes = [sample_scene(size.seed, first + i) for i in range(size.held_out)]
    pairs = [(s, look_alike(s, size.seed, first + i)) for i, s in enumerate(scenes)]
    alike = [scene for pair in pairs[: size.held_out // 2] for scene in pair]
    for length, captions, gallery in (("long", 2, alike), ("short", 1, scenes)):
        samples = (
            (encode(draw(s)), [reference(s, length, rng) for _ in range(captions)]) for s in gallery
        )
        write_retrieval(folder / f"scenes_{length}{split}", samples, extension="jpg")


def _glyphs(size: WorldSize, rng: random.Random) -> Iterator[tuple[bytes, int]]:
    """Yield single large glyphs at random places on random backgrounds, with their kind's index."""
    reach = CANVAS - SIDES[Size.LARGE]
    for index in range(len(KINDS)):
        for _ in range(size.glyphs_per_kind):
            x, y = (SIDES[Size.LARGE] // 2 + 2 * rng.randrange(reach // 2) for _ in range(2))
            item = SceneObject(index, Size.LARGE, x, y)
            scene = Scene(rng.choice(list(Background)), 2 * rng.randrange(55, 85), (item,))
            yield encode(draw(scene)), index


def unicode_name(glyph: str) -> str:
    """Return a glyph's human-written name, such as ``dog face``."""
    import emoji

    return emoji.demojize(glyph).strip(":").replace("_", " ").lower()
