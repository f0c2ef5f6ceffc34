"""Reading of a benchmark's rows from Parquet, JSON or JSON lines, and of its images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rolesynth_assets.bounded_json import read_json
from rolesynth_assets.r1.benchmarks.definition import R1BenchmarkError

FileRow = Mapping[str, Any]

MAX_JSON_BYTES = 128 * 2**20
"""The largest JSON file of the supported benchmarks, MathVision's test split, has a few MB."""
IMAGE_FOLDERS = ("", "images", "data", "data/images")


def read_rows(root: Path, split: str, names: tuple[str, ...] = ("{split}",)) -> Iterator[FileRow]:
    """Yield the rows of a split, in the order of the files and of their rows.

    The files are searched in this order: ``<name>-*.parquet`` and ``<name>.parquet`` at any depth,
    then ``<name>.json`` and ``<name>.jsonl`` in `root` and its folder ``data``. A JSON file holds a
    list of rows, or an object of rows by id.

    Args:
        root: folder of the benchmark.
        split: split, such as ``testmini``.
        names: file names without extension; ``{split}`` is replaced by the split.

    Raises:
        R1BenchmarkError: the folder or the split does not exist, or a file cannot be read.
    """
    if not root.is_dir():
        raise R1BenchmarkError(
            f"{root} is not a folder: set `path` in the benchmark's YAML file to the folder of its "
            "files."
        )
    root = dataset_folder(root)
    stems = [name.format(split=split) for name in names]
    tables = [p for s in stems for q in (f"{s}-*.parquet", f"{s}.parquet") for p in root.rglob(q)]
    texts = [
        path
        for stem in stems
        for folder in (root, root / "data")
        for path in (folder / f"{stem}.json", folder / f"{stem}.jsonl")
        if path.is_file()
    ]
    if tables:
        _require_all_parts(tables)
        for path in sorted(set(tables)):
            yield from _parquet(path)
    elif texts:
        yield from _json(texts[0])
    else:
        looked = ", ".join(f"{stem}.parquet, {stem}.json" for stem in stems)
        raise R1BenchmarkError(
            f"{root} has no split {split!r} (searched for {looked}): complete the download, or set "
            "another split in the benchmark's YAML file."
        )


_PART = re.compile(r"(.*)-(\d+)-of-(\d+)(?:-\w+)?\.parquet")


def _require_all_parts(tables: Iterable[Path]) -> None:
    """Refuse a split of which the download lacks files, by names such as x-00000-of-00002.parquet.

    Raises:
        R1BenchmarkError: files are missing.
    """
    parts: dict[tuple[Path, str, int], set[int]] = {}
    for path in tables:
        if found := _PART.fullmatch(path.name):
            stem, number, count = found.groups()
            parts.setdefault((path.parent, stem, int(count)), set()).add(int(number))
    for (folder, stem, count), numbers in sorted(parts.items()):
        if missing := sorted(set(range(count)) - numbers):
            raise R1BenchmarkError(
                f"{folder} has {count - len(missing)} of the {count} files of {stem}; number "
                f"{missing[0]} is missing, for example: complete the download."
            )


def dataset_folder(root: Path) -> Path:
    """Return the folder of a data set's files, which in a hub cache is its only snapshot.

    Raises:
        R1BenchmarkError: the cache has several snapshots, whose rows would be counted twice.
    """
    snapshots = [path for path in root.glob("snapshots/*") if path.is_dir()]
    if len(snapshots) > 1:
        raise R1BenchmarkError(
            f"{root} is a hub cache with {len(snapshots)} snapshots: set `path` to one of "
            f"{', '.join(str(path) for path in sorted(snapshots))}."
        )
    if not snapshots and (deeper := sorted(root.glob("datasets--*/snapshots"))):
        names = ", ".join(str(path.parent) for path in deeper)
        raise R1BenchmarkError(f"{root} is a whole hub cache: set `path` to one of {names}.")
    return snapshots[0] if snapshots else root


def read_image(root: Path, value: Any, where: str) -> bytes:
    """Return the image of a row's cell as encoded bytes that can be decoded.

    Args:
        root: folder of the benchmark; a path that leads out of it is refused.
        value: the row's cell: Parquet's {bytes, path}, or a path relative to the folder.
        where: name of the row, for messages.

    Raises:
        R1BenchmarkError: there is no image, or it cannot be decoded.
    """
    from rolesynth_assets.images.decoding.decode import normalise
    from rolesynth_assets.images.decoding.rejects import Reject
    from rolesynth_assets.images.limits import limits_of_any_side

    data = value.get("bytes") if isinstance(value, Mapping) else None
    path = value.get("path") if isinstance(value, Mapping) else value
    if not data and isinstance(path, str) and path:
        data = _file(root, path, where)
    if not data:
        raise R1BenchmarkError(f"{where}: no image in {str(value)[:80]!r}.")
    image = normalise(data, limits_of_any_side())
    if isinstance(image, Reject):
        raise R1BenchmarkError(f"{where}: its image is unusable: {image.reason}: {image.detail}")
    return image.data


def _file(root: Path, name: str, where: str) -> bytes:
    from rolesynth_assets.images.decoding.rejects import Reject
    from rolesynth_assets.images.limits import limits_in_use
    from rolesynth_assets.images.readers.member import read_file

    root = dataset_folder(root)
    base = root.resolve()
    blobs = base.parent.parent / "blobs"  # the files of a hub cache's snapshot are links to these
    for folder in IMAGE_FOLDERS:
        path = (base / folder / name).resolve()
        if not path.is_relative_to(base) and not path.is_relative_to(blobs):
            raise R1BenchmarkError(f"{where}: image {name!r} leads out of {root}; refused.")
        if path.is_file():
            data = read_file(str(path), limits_in_use().image.max_bytes)
            if isinstance(data, Reject):
                raise R1BenchmarkError(f"{where}: image {name!r}: {data.reason}: {data.detail}")
            return data
    raise R1BenchmarkError(
        f"{where}: image {name!r} is missing in {root}; unpack images.zip there."
    )


def _parquet(path: Path) -> Iterator[FileRow]:
    import pyarrow as pa

    from rolesynth_assets.images.limits import limits_in_use
    from rolesynth_assets.images.readers.parquet_pages import (
        PageGuard,
        check_rows,
        open_unexpanded,
    )

    limits = limits_in_use().container
    try:
        with open_unexpanded(path, memory_map=True) as file, path.open("rb") as pages:
            check_rows(file, limits)
            guard = PageGuard(pages, file.schema_arrow.names, limits)
            for group in range(file.metadata.num_row_groups):
                for batch in guard.batches(file, group, 1):
                    yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, R1BenchmarkError):
            raise
        raise R1BenchmarkError(f"{path} cannot be read as Parquet: {error}") from error


def _json(path: Path) -> Iterator[FileRow]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise R1BenchmarkError(
            f"{path} has more than {MAX_JSON_BYTES} bytes, so it is not a benchmark's file."
        )
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            content = [read_json(line) for line in text.splitlines() if line.strip()]
        else:
            content = read_json(text)
    except (OSError, ValueError) as error:
        raise R1BenchmarkError(f"{path} cannot be read as JSON: {error}") from error
    rows = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise R1BenchmarkError(f"{path} has no rows: expected a list or an object of objects.")
    yield from rows
