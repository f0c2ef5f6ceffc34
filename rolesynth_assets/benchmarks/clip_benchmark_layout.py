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
from dataclasses import dataclass
from pathlib import Path

from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.images.decoding.formats import HEAD_BYTES
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers.tars import READ_ERRORS, open_tar
from rolesynth_assets.images.readers.unpacking import decompressor_of

MAX_BLOB_BYTES = 64 * 2**20  # per image or label file
IMAGE_EXTENSIONS = ("webp", "png", "jpg", "jpeg")  # the order in which CLIP_benchmark looks
LABEL_EXTENSION = {TaskKind.RETRIEVAL: "txt", TaskKind.CLASSIFICATION: "cls"}
TYPE_FILE = "dataset_type.txt"
CLASSES_FILE = "classnames.txt"
TEMPLATES_FILE = "zeroshot_classification_templates.txt"
SHARDS_FILE = "nshards.txt"
_LAYOUT_FILES = frozenset({TYPE_FILE, CLASSES_FILE, TEMPLATES_FILE, SHARDS_FILE})
# webdataset's rule: the key ends at the first dot after the last slash, and is not empty
_KEY = re.compile(r"^((?:.*/|)[^./]+)[.]([^/]*)$")


@dataclass(frozen=True)
class Blob:
    """The place of one file's bytes: a whole file, or a range of a tar."""

    path: Path
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            BenchmarkError: the file has more than `MAX_BLOB_BYTES`.
        """
        size = self.path.stat().st_size if self.size is None else self.size
        if size > MAX_BLOB_BYTES:
            raise BenchmarkError(f"{self.path}: an entry of {size} bytes; at most {MAX_BLOB_BYTES}")
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(size)


@dataclass(frozen=True)
class Sample:
    """One image and its label file; `where` names them in messages."""

    where: str
    image: Blob
    label: Blob

    def text(self) -> str:
        """Return the label file as text.

        Raises:
            BenchmarkError: the file is not UTF-8.
        """
        try:
            return self.label.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BenchmarkError(f"{self.where}: the label file is no UTF-8: {error}") from error


def list_samples(task: Task, data_root: Path | str | None = None) -> list[Sample]:
    """List the samples of a task in the order of shards, then of members or of file names.

    Raises:
        BenchmarkError: the folder or tar does not exist or has no sample, a sample lacks its image
            or label, a shard is missing, the dataset is of another kind, or the number of images
            is not the one that the task expects.
    """
    root = task.resolve(data_root)
    _check_kind(task, root)
    tars = _shards(task, root)
    label = LABEL_EXTENSION[task.kind]
    if tars:
        samples = [sample for tar in tars for sample in _samples(_tar_files(tar), label, str(tar))]
    else:
        folder = _split_folder(task, root)
        samples = _samples(_folder_files(folder), label, str(folder))
    if not samples:
        raise BenchmarkError(
            f"Task {task.name}: no sample in {root}; expected shards in {root / task.split} or "
            f"files such as <key>.png with <key>.{label}"
        )
    if task.expected_images is not None and len(samples) != task.expected_images:
        raise BenchmarkError(
            f"Task {task.name}: {root} has {len(samples)} images, but the task expects "
            f"{task.expected_images}; this is another split, or part of it"
        )
    return samples


def read_lines(task: Task, name: str, data_root: Path | str | None = None) -> list[str]:
    """Read one of the layout's text files as stripped lines.

    Raises:
        BenchmarkError: the file is missing or empty, or has a blank line, which would shift the
            labels.
    """
    root = task.resolve(data_root)
    path = _find(root, name)
    if path is None:
        folder = root if root.is_dir() else root.parent
        raise BenchmarkError(f"Task {task.name}: {name} is missing in {folder}")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or not all(lines):
        raise BenchmarkError(f"{path}: empty, or has a blank line; write one entry a line")
    return lines


def _check_kind(task: Task, root: Path) -> None:
    if not root.exists():
        raise BenchmarkError(
            f"Task {task.name}: {root} does not exist; set `path` in the task's YAML file to the "
            "dataset's folder"
        )
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
            with open_tar(file, ContainerLimits()) as archive:
                files = [
                    (member.name, Blob(tar, member.offset_data, member.size))
                    for member in archive
                    if member.isreg() and not getattr(member, "is_sparse", False)
                ]
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


def _samples(files: list[tuple[str, Blob]], label: str, source: str) -> list[Sample]:
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
            samples.append(Sample(where, image, group[label]))
        elif image is not None or label in group:
            raise BenchmarkError(
                f"{where}: has {', '.join(sorted(group))} but needs an image "
                f"({', '.join(IMAGE_EXTENSIONS)}) and .{label}; a file's key ends at its first dot"
            )
    return samples
