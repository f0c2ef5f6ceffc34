"""Writers of benchmarks in CLIP_benchmark's layout, as plain files or as webdataset tars."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rolesynth_assets.benchmarks.layouts.clip_benchmark import (
    CLASSES_FILE,
    SHARDS_FILE,
    TEMPLATES_FILE,
    TYPE_FILE,
)
from rolesynth_assets.benchmarks.layouts.files import IMAGE_EXTENSIONS
from rolesynth_assets.benchmarks.tasks import BenchmarkError

IMAGES_PER_TAR = 10_000  # the default of clip_benchmark_export_wds


def write_retrieval(
    root: Path,
    samples: Iterable[tuple[bytes, Sequence[str]]],
    *,
    extension: str = "png",
    tars: bool = False,
    split: str = "test",
) -> int:
    """Write (encoded image, captions) samples and return their number.

    Each run of white space in a caption becomes one space, since the layout has one caption a line.

    Raises:
        BenchmarkError: an image has no caption, the extension is not in the layout, there is no
            sample, or the folder of the split exists already.
    """

    def labelled() -> Iterator[tuple[bytes, str]]:
        for image, captions in samples:
            lines = [" ".join(caption.split()) for caption in captions]
            if not lines or not all(lines):
                raise BenchmarkError(f"{root}: an image without a caption, or with a blank one")
            yield image, "\n".join(lines)

    texts = {TYPE_FILE: ["retrieval"]}
    return _write(root, labelled(), texts, extension, "txt", tars, split)


def write_classification(
    root: Path,
    samples: Iterable[tuple[bytes, int]],
    *,
    class_names: Sequence[str],
    templates: Sequence[str],
    extension: str = "png",
    tars: bool = False,
    split: str = "test",
) -> int:
    """Write (encoded image, class index) samples with class names and templates.

    Returns:
        The number of samples.

    Raises:
        BenchmarkError: a label is not an index of `class_names`, the extension is not in the
            layout, there is no sample, or the folder of the split exists already.
    """

    def labelled() -> Iterator[tuple[bytes, str]]:
        for image, label in samples:
            if not 0 <= label < len(class_names):
                raise BenchmarkError(f"{root}: label {label}, but only {len(class_names)} classes")
            yield image, str(int(label))

    texts = {CLASSES_FILE: class_names, TEMPLATES_FILE: templates}
    return _write(root, labelled(), texts, extension, "cls", tars, split)


def _write(
    root: Path,
    samples: Iterator[tuple[bytes, str]],
    texts: Mapping[str, Sequence[str]],
    extension: str,
    label_extension: str,
    tars: bool,
    split: str,
) -> int:
    """Write to a temporary folder and rename it at the end, so that a split is always complete."""
    folder, staging = root / split, root / f".{split}.partial"
    if extension not in IMAGE_EXTENSIONS:
        raise BenchmarkError(
            f"{root}: .{extension} is not in the layout ({', '.join(IMAGE_EXTENSIONS)})"
        )
    if folder.exists():
        raise BenchmarkError(f"{folder} exists already; remove it or write to another folder")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write = _write_tars if tars else _write_files
    count = write(staging, samples, extension, label_extension)
    if not count:
        raise BenchmarkError(f"{root}: no sample to write")
    for name, lines in texts.items():
        _write_lines(root / name, lines)
    staging.rename(folder)
    return count


def _write_files(
    folder: Path, samples: Iterator[tuple[bytes, str]], extension: str, label_extension: str
) -> int:
    count = 0
    for image, label in samples:
        (folder / f"{_key(count)}.{extension}").write_bytes(image)
        (folder / f"{_key(count)}.{label_extension}").write_bytes(label.encode())
        count += 1
    return count


def _write_tars(
    folder: Path, samples: Iterator[tuple[bytes, str]], extension: str, label_extension: str
) -> int:
    count = 0
    archive: tarfile.TarFile | None = None
    try:
        for image, label in samples:
            if archive is None or count % IMAGES_PER_TAR == 0:
                if archive is not None:
                    archive.close()
                archive = tarfile.open(folder / f"{count // IMAGES_PER_TAR}.tar", "w")
            _add(archive, f"{_key(count)}.{extension}", image)
            _add(archive, f"{_key(count)}.{label_extension}", label.encode())
            count += 1
    finally:
        if archive is not None:
            archive.close()
    _write_lines(folder / SHARDS_FILE, [str(-(-count // IMAGES_PER_TAR))])
    return count


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # mode, owner and time are fixed: same samples, same bytes
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _key(index: int) -> str:
    return f"s{index:07d}"


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
