"""CLIP_benchmark's webdataset layout, read from tar shards or from the same files in a folder.

    root/
      dataset_type.txt                        "retrieval"; absent for classification
      classnames.txt                          classification: one class name a line, in label order
      zeroshot_classification_templates.txt   classification: one template a line, with {c}
      test/                                   one folder per split
        nshards.txt                           number of tars
        0.tar 1.tar ...                       <key>.webp|png|jpg|jpeg with <key>.txt or <key>.cls

`<key>.txt` has one caption a line, `<key>.cls` a class index from 0. In the plain form the samples
are ordinary files in the folder of the split, or in the root. A single tar is read with the text
files beside it or one folder up. Nothing is extracted: a member is read by its offset, so its name
never becomes a path. Reference: LAION-AI/CLIP_benchmark, `clip_benchmark/datasets/builder.py`
(`build_wds_dataset`) and `webdataset_builder.py`.
"""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from pathlib import Path

from rolesynth_assets.benchmarks.layouts.files import (
    IMAGE_EXTENSIONS,
    BenchmarkFiles,
    Blob,
    Layout,
    Place,
    Sample,
)
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.images.decoding.formats import HEAD_BYTES
from rolesynth_assets.images.limits import limits_in_use
from rolesynth_assets.images.readers.tars import READ_ERRORS, open_tar
from rolesynth_assets.images.readers.unpacking import decompressor_of

LABEL_EXTENSION = {TaskKind.RETRIEVAL: "txt", TaskKind.CLASSIFICATION: "cls"}
TYPE_FILE = "dataset_type.txt"
CLASSES_FILE = "classnames.txt"
TEMPLATES_FILE = "zeroshot_classification_templates.txt"
SHARDS_FILE = "nshards.txt"
_LAYOUT_FILES = frozenset({TYPE_FILE, CLASSES_FILE, TEMPLATES_FILE, SHARDS_FILE})
# webdataset's rule: the key ends at the first dot after the last slash, and is not empty
_KEY = re.compile(r"^((?:.*/|)[^./]+)[.]([^/]*)$")


def fits(place: Place) -> bool:
    """Return whether there are tars, or images with a label file of the same key."""
    root = place.root
    if place.captions is not None:
        return False
    if root.is_file():
        return root.suffix == ".tar"
    folder = _split_folder(place.task, root)
    if (folder / SHARDS_FILE).is_file() or (root / TYPE_FILE).is_file():
        return True
    label = LABEL_EXTENSION[place.task.kind]
    images = (path for path in folder.glob("*.*") if path.suffix[1:].lower() in IMAGE_EXTENSIONS)
    return any(folder.glob("*.tar")) or any(p.with_suffix(f".{label}").is_file() for p in images)


def read(place: Place) -> BenchmarkFiles:
    """Read the samples of a task in the order of shards, then of members or of file names.

    Raises:
        BenchmarkError: the folder or tar has no sample, a sample lacks its image or label, a shard
            is missing, the dataset is of another kind, or a text file is missing or has a blank
            line, which would shift the labels.
    """
    task, root = place.task, place.root
    _check_kind(task, root)
    tars = _shards(task, root)
    label = LABEL_EXTENSION[task.kind]
    if tars:
        pairs = [pair for tar in tars for pair in _samples(_tar_files(tar), label, str(tar))]
    else:
        folder = _split_folder(task, root)
        pairs = _samples(_folder_files(folder), label, str(folder))
    if not pairs:
        raise BenchmarkError(
            f"Task {task.name}: no sample in {root}; expected shards in {root / task.split} or "
            f"files such as <key>.png with <key>.{label}"
        )
    if task.kind is TaskKind.RETRIEVAL:
        return BenchmarkFiles([Sample(w, image, _captions(w, text)) for w, image, text in pairs])
    names, templates = (_text_file(task, root, name) for name in (CLASSES_FILE, TEMPLATES_FILE))
    if len(names) < 2:
        raise BenchmarkError(f"Task {task.name} has one class; classification needs two")
    labelled = [Sample(w, image, label=_label(w, text, len(names))) for w, image, text in pairs]
    return BenchmarkFiles(labelled, tuple(names), tuple(templates))


def _captions(where: str, label: Blob) -> tuple[str, ...]:
    return tuple(line.strip() for line in _decoded(where, label).splitlines() if line.strip())


def _label(where: str, label: Blob, classes: int) -> int:
    text = _decoded(where, label).strip()
    if not text.isdecimal() or int(text) >= classes:
        raise BenchmarkError(
            f"{where}: label {text!r} is not a class index from 0 to {classes - 1} (multilabel "
            "sets, .npy, are not supported)"
        )
    return int(text)


def _decoded(where: str, label: Blob) -> str:
    try:
        return label.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{where}: the label file is no UTF-8: {error}") from error


def _text_file(task: Task, root: Path, name: str) -> list[str]:
    path = _find(root, name)
    if path is None:
        folder = root if root.is_dir() else root.parent
        raise BenchmarkError(f"Task {task.name}: {name} is missing in {folder}")
    return read_lines(path)


def read_lines(path: Path) -> list[str]:
    """Read one of the layout's text files as stripped lines.

    Raises:
        BenchmarkError: the file is empty or has a blank line, which would shift the labels.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or not all(lines):
        raise BenchmarkError(f"{path}: empty, or has a blank line; write one entry a line")
    return lines


def _check_kind(task: Task, root: Path) -> None:
    path = _find(root, TYPE_FILE)
    if path is not None:
        kind = path.read_text(encoding="utf-8").strip().lower()
        if kind != task.kind:
            raise BenchmarkError(f"Task {task.name} is of kind {task.kind}; {path} says {kind!r}")


def _find(root: Path, name: str) -> Path | None:
    folders = [root] if root.is_dir() else [root.parent, root.parent.parent]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _split_folder(task: Task, root: Path) -> Path:
    return root / task.split if (root / task.split).is_dir() else root


def _shards(task: Task, root: Path) -> list[Path]:
    """Return the tars of a split by number: those that `nshards.txt` promises, or all in it."""
    if root.is_file():
        return [root]
    folder = _split_folder(task, root)
    if not (folder / SHARDS_FILE).is_file():
        return sorted(folder.glob("*.tar"), key=lambda path: (len(path.stem), path.stem))
    promised = (folder / SHARDS_FILE).read_text(encoding="utf-8").strip()
    if not promised.isdecimal():
        raise BenchmarkError(f"{folder / SHARDS_FILE}: expected a number, got {promised!r}")
    tars = [folder / f"{index}.tar" for index in range(int(promised))]
    missing = [path.name for path in tars if not path.is_file()]
    if missing:
        raise BenchmarkError(
            f"Task {task.name}: {SHARDS_FILE} in {folder} promises {len(tars)} shards, but "
            f"{', '.join(missing[:5])} are missing; complete the download"
        )
    return tars


def _tar_files(tar: Path) -> list[tuple[str, Blob]]:
    try:
        with tar.open("rb") as file:
            if decompressor_of(file.read(HEAD_BYTES)):
                raise tarfile.ReadError("it is compressed")
            limits, files = limits_in_use().container, []
            with open_tar(file, limits) as archive:
                for number, member in enumerate(archive, 1):
                    if number > limits.max_members:
                        raise tarfile.ReadError(
                            f"more than {limits.max_members} members, limits.container.max_members"
                        )
                    if member.isreg() and not getattr(member, "is_sparse", False):
                        files.append((member.name, Blob(tar, member.offset_data, member.size)))
                if archive.damage:
                    raise tarfile.ReadError(archive.damage)
                return files
    except READ_ERRORS as error:
        raise BenchmarkError(
            f"{tar} cannot be read as an uncompressed tar ({error}); fetch or write it again"
        ) from error


def _folder_files(folder: Path) -> list[tuple[str, Blob]]:
    return [
        (path.name, Blob(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in _LAYOUT_FILES
    ]


def _samples(
    files: list[tuple[str, Blob]], label: str, source: str
) -> list[tuple[str, Blob, Blob]]:
    """Return (where, image, label file) of each sample."""
    groups: dict[str, dict[str, Blob]] = defaultdict(dict)
    for name, blob in files:
        match = _KEY.match(name)
        if match is None:
            continue
        key, extension = match[1], match[2].lower()
        if extension in groups[key]:
            raise BenchmarkError(f"{source}: {name} occurs twice")
        groups[key][extension] = blob
    samples = []
    for key, group in groups.items():
        image = next(
            (group[extension] for extension in IMAGE_EXTENSIONS if extension in group), None
        )
        where = f"{source}::{key}"
        if image is not None and label in group:
            samples.append((where, image, group[label]))
        elif image is not None or label in group:
            raise BenchmarkError(
                f"{where}: has {', '.join(sorted(group))} but needs an image "
                f"({', '.join(IMAGE_EXTENSIONS)}) and .{label}; a file's key ends at its first dot"
            )
    return samples


LAYOUT = Layout("clip_benchmark", None, fits, read)
