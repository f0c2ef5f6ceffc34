"""What every layout gives: images with their captions or classes, read by name or by offset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.bounded_json import read_json
from rolesynth_assets.images.limits import limits_in_use

MAX_TEXT_BYTES = 512 * 2**20
"""Most bytes of a file of captions; that of COCO with Karpathy's splits has 144 MB."""
MAX_VALUES = 40_000_000
IMAGE_EXTENSIONS = ("webp", "png", "jpg", "jpeg")  # the order in which CLIP_benchmark looks


@dataclass(frozen=True)
class Blob:
    """The place of one file's bytes: a whole file, or a range of a tar."""

    path: Path
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            BenchmarkError: the file is missing, or has more bytes than `limits.image.max_bytes`.
        """
        most = limits_in_use().image.max_bytes
        try:
            size = self.path.stat().st_size if self.size is None else self.size
            if size > most:
                raise BenchmarkError(
                    f"{self.path}: an entry of {size} bytes; the limit is limits.image.max_bytes, "
                    f"{most}"
                )
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read(size)
        except OSError as error:
            raise BenchmarkError(f"{self.path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Sample:
    """One image with all of its captions, or with its class; `where` names it in messages."""

    where: str
    image: Blob
    captions: tuple[str, ...] = ()
    label: int = -1


@dataclass(frozen=True)
class BenchmarkFiles:
    """The files of a task.

    Attributes:
        samples: images in the order in which they count.
        class_names: of a classification task, by label.
        templates: of a classification task, with ``{c}`` where the class name goes.
    """

    samples: list[Sample]
    class_names: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a task's files are.

    Attributes:
        task: the task.
        root: its folder, or one tar.
        captions: the file of captions, if the task's path or its ``annotations`` names one.
        split: the split that the task asks for; None for the layout's usual one.
    """

    task: Task
    root: Path
    captions: Path | None
    split: str | None

    def fault(self, what: str) -> BenchmarkError:
        """Return an error that names the task."""
        return BenchmarkError(f"Task {self.task.name}: {what}")

    def image(self, name: str, folders: Iterable[str]) -> Path:
        """Return the path of an image that a file of captions names.

        Args:
            name: name of the image file, with or without a folder.
            folders: folders below `root`, "" for itself, in the order in which they are searched.

        Raises:
            BenchmarkError: the image does not exist, or its name leads out of the folder.
        """
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise self.fault(f"image {name!r} leads out of {self.root}; refused")
        for asked in dict.fromkeys((name, PurePosixPath(name).name)):
            for folder in folders:
                path = self.root / folder / asked
                if path.is_file():
                    return path
        raise self.fault(
            f"image {name!r} is missing in {self.root} (searched in "
            f"{', '.join(folder or '.' for folder in folders)}); complete the download"
        )


@dataclass(frozen=True)
class Layout:
    """How the publisher of a benchmark lays its files out.

    Attributes:
        name: the name by which a task may ask for it.
        kind: the kind of task whose files are laid out so; None for both.
        fits: whether the files at a place look like it; cheap, and false for a missing folder.
        read: reads the files at a place.
        usual_captions: captions of an image that published numbers count; None for all.
    """

    name: str
    kind: TaskKind | None
    fits: Callable[[Place], bool]
    read: Callable[[Place], BenchmarkFiles]
    usual_captions: int | None = None


def read_json_file(place: Place, path: Path) -> object:
    """Read a JSON file of captions.

    Raises:
        BenchmarkError: it cannot be read, is too large, or is no JSON.
    """
    try:
        return read_json(read_bytes(place, path), MAX_VALUES)
    except ValueError as error:
        if isinstance(error, BenchmarkError):
            raise
        raise place.fault(f"{path} cannot be read as JSON: {error}; fetch it again") from error


def read_text(place: Place, path: Path) -> str:
    """Read a text file of captions.

    Raises:
        BenchmarkError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_bytes(place, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise place.fault(f"{path} is no UTF-8: {error}; fetch it again") from error


def read_bytes(place: Place, path: Path) -> bytes:
    """Read a file of captions, with a bound on its size."""
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise place.fault(f"{path} has more than {MAX_TEXT_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise place.fault(f"{path} cannot be read: {error.strerror}") from error


def captioned(
    place: Place, captions: Mapping[str, list[str]], folders: Iterable[str]
) -> BenchmarkFiles:
    """Return the files of a retrieval task from the captions of each image, by its name.

    Raises:
        BenchmarkError: an image does not exist; the message says how many do not.
    """
    samples, missing = [], []
    searched = tuple(folders)
    for name, texts in captions.items():
        try:
            path = place.image(name, searched)
        except BenchmarkError as error:
            missing.append(error)
            continue
        samples.append(Sample(f"{path}", Blob(path), tuple(texts)))
    if missing:
        raise BenchmarkError(f"{missing[0]} ({len(missing)} of {len(captions)} images are missing)")
    return BenchmarkFiles(samples)
