"""Reading of the rows of JSONL and Parquet seed files, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolesynth_assets.bounded_json import read_json
from rolesynth_assets.cads.prompts.json_object import NumberText
from rolesynth_assets.errors import InputError
from rolesynth_assets.images.limits import limits_in_use

MAX_LINE = 64 * 2**20
"""Largest number of bytes of one JSONL line, its images included."""
MAX_VALUES = 100_000
"""Largest number of JSON values in one JSONL line."""
ROWS_PER_READ = 1
"""One at a time, because the size of a row is known only after it has been read."""
COLUMNS = ("problem", "description", "answer", "images", "image")


class SeedFileError(InputError):
    """A seed file gives no rows at all; the message names it and the way out."""


@dataclass(frozen=True)
class Unreadable:
    """The reason why a row could not be read."""

    detail: str


@dataclass(frozen=True)
class FileRow:
    """One row: its file and line, the folder that its paths are relative to, and its fields."""

    source: str
    folder: Path
    fields: Mapping[str, Any] | Unreadable


def seed_files(path: Path) -> Iterator[FileRow]:
    """Yield the rows of a ``*.jsonl`` or ``*.parquet`` file, or of all of them in a folder.

    Raises:
        SeedFileError: the file does not exist, the folder has nothing to read, or the file is of
            another kind or has none of the columns.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in _READERS)
        if not files:
            raise SeedFileError(f"The seed folder {path} has no *.jsonl and no *.parquet file.")
    elif not path.is_file():
        raise SeedFileError(f"There is no seed file {path}; write one or correct its path.")
    else:
        files = [path]
    for file in files:
        reader = _READERS.get(file.suffix)
        if reader is None:
            raise SeedFileError(f"The seed file {file} is neither *.jsonl nor *.parquet.")
        yield from reader(file)


def _jsonl_rows(path: Path) -> Iterator[FileRow]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(2**20)
                fields = Unreadable(f"a line of more than {MAX_LINE} bytes")
            elif not line.strip():
                continue
            else:
                fields = _json_fields(line)
            yield FileRow(f"{path.name}:{number}", path.parent, fields)


def _json_fields(line: bytes) -> Mapping[str, Any] | Unreadable:
    try:
        value = read_json(line, MAX_VALUES, parse_int=NumberText, parse_float=NumberText)
    except ValueError as error:
        return Unreadable(f"no JSON: {error}")
    if not isinstance(value, dict):
        return Unreadable(f"a JSON {type(value).__name__}, not an object")
    return value


def _parquet_rows(path: Path) -> Iterator[FileRow]:
    import pyarrow as pa

    from rolesynth_assets.images.readers.parquet_pages import (
        PageGuard,
        check_rows,
        open_unexpanded,
    )

    limits = limits_in_use().container
    try:
        file = open_unexpanded(path, memory_map=True)
        check_rows(file, limits)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SeedFileError(f"The seed file {path} cannot be read as Parquet: {error}") from error
    with file, path.open("rb") as pages:
        there = file.schema_arrow.names
        columns = [name for name in COLUMNS if name in there]
        if not {"problem", "description"}.intersection(columns):
            raise SeedFileError(
                f"The seed file {path} has neither a column problem nor a column description; it "
                f"has: {', '.join(there)}."
            )
        try:
            guard = PageGuard(pages, columns, limits)
        except ValueError as error:
            raise SeedFileError(f"The seed file {path}: {error}.") from error
        start = 0
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            try:
                number = start
                for batch in guard.batches(file, group, ROWS_PER_READ):
                    for fields in batch.to_pylist():
                        yield FileRow(f"{path.name}:{number + 1}", path.parent, fields)
                        number += 1
            except (OSError, ValueError, pa.ArrowException) as error:
                source = f"{path.name}:{start + 1}-{start + rows}"
                yield FileRow(source, path.parent, Unreadable(f"row group {group}: {error}"))
            start += rows


_READERS = {".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
