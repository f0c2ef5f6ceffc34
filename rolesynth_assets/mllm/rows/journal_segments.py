"""The rows of a journal in a bucket: segments, each an object with what arrived in a short time.

A name begins with the time at which its segment was made, so all readers take the same one of two
replies under a key. A writer touches the segments of other writers only to take rows out.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Collection, Iterable, Iterator
from uuid import uuid4

from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.parallel.lookahead import in_order

SUFFIX = ".jsonl"
READS_AT_ONCE = 16
LOOKS = 10  # at a listing, while others replace what it holds

Row = tuple[str, tuple[object, ...]]
"""A table of the journal, and the values of its columns."""

KEY_AT = {"replies": 0, "drawings": 0, "shown": 1, "drawn_from": 1}
"""Where the values of a table have the key."""


def key_of(row: Row) -> str:
    """Return the key that a row belongs to."""
    return str(row[1][KEY_AT[row[0]]])


class Segments:
    """The segments below one prefix.

    Args:
        place: the prefix.
    """

    def __init__(self, place: ObjectPath) -> None:
        self._place = place

    def name(self) -> str:
        """Return the name of a new segment."""
        return f"{time.time_ns():020d}-{uuid4().hex[:8]}{SUFFIX}"

    def read(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield all segments with their rows, by name.

        Raises:
            StorageError: the bucket cannot be read.
            ValueError: an object is no segment; the message names it.
        """
        known: set[str] = set()
        for _ in range(LOOKS):
            names = [p.name for p in self._place.objects() if p.name.endswith(SUFFIX)]
            new = sorted(set(names) - known)
            known |= set(new)
            gone = False
            for name, rows in in_order(lambda n: (n, self._rows(n)), new, READS_AT_ONCE):
                gone |= rows is None  # its writer has merged it, or stored what it holds
                if rows is not None:
                    yield name, rows
            if not gone:
                return

    def write(self, name: str, rows: Iterable[Row]) -> None:
        """Write a segment.

        Raises:
            StorageError: it cannot be written.
        """
        text = "".join(json.dumps([table, *map(_as_json, values)]) + "\n" for table, values in rows)
        (self._place / name).write_bytes(text.encode("utf-8"))

    def remove(self, names: Collection[str]) -> None:
        """Remove segments.

        Raises:
            StorageError: they cannot be removed.
        """
        self._place.remove([self._place / name for name in names])

    def without(self, name: str, keys: Collection[str]) -> None:
        """Replace a segment by one without the rows of some keys.

        Raises:
            StorageError: it cannot be read or written.
        """
        if (rows := self._rows(name)) is not None:
            self.write(name, (row for row in rows if key_of(row) not in keys))

    def _rows(self, name: str) -> list[Row] | None:
        try:
            text = (self._place / name).read_text()
        except FileNotFoundError:
            return None
        try:
            return [_row(line) for line in text.splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self._place / name} is no part of a journal ({error!r})") from None


def _row(line: str) -> Row:
    table, *values = json.loads(line)
    if table not in KEY_AT:
        raise ValueError(f"no table {table!r}")
    return table, tuple(map(_of_json, values))


def _as_json(value: object) -> object:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _of_json(value: object) -> object:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
