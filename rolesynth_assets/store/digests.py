"""Digests: the identity of a row and the data version of a partition.

Two rows are the same row if their ids are equal, and two partitions have the same data version if
their content digests are equal. Both must not depend on the machine, on library versions or on the
order in which rows were written, so all digests are sha256 over bytes whose layout this file fixes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

SEED_SPACE = 2**31  # samplers take a signed 32-bit seed


def digest(*parts: str | bytes | int) -> str:
    """Hash `parts` into one id.

    Every part is hashed with its type and its length, so neither ("ab", "c") and ("a", "bc") nor 1
    and "1" give the same id.

    Args:
        *parts: text (hashed as UTF-8), bytes or integers, in a fixed order.

    Returns:
        64 lower-case hex characters.

    Raises:
        TypeError: a part is of another type, such as a float, which has no single spelling.
    """
    return _hasher(parts).hexdigest()


def digest_each(prefix: Sequence[str | bytes | int], texts: Iterable[str]) -> list[str]:
    """Return `digest(*prefix, text)` for each of many texts, hashing the prefix once."""
    begun = _hasher(prefix)
    digests = []
    for text in texts:
        data, hasher = text.encode(), begun.copy()
        hasher.update(b"s" + len(data).to_bytes(8, "little") + data)
        digests.append(hasher.hexdigest())
    return digests


def _hasher(parts: Iterable[str | bytes | int]) -> hashlib._Hash:
    """Feed parts to a new hasher, each with its type and length."""
    hasher = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            tag, data = b"s", part.encode()
        elif isinstance(part, bytes):
            tag, data = b"b", part
        elif isinstance(part, int) and not isinstance(part, bool):
            tag, data = b"i", str(part).encode()
        else:
            raise TypeError(
                f"digest() takes str, bytes or int, not {type(part).__name__} ({part!r}); "
                "spell the value as text first."
            )
        hasher.update(tag + len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher


def image_id(encoded: bytes) -> str:
    """Identify an image by the sha256 of its source file's bytes, 64 hex characters."""
    return hashlib.sha256(encoded).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hex characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seed_from(*parts: str | bytes | int) -> int:
    """Return the sampling seed of `parts`, an integer in [0, 2**31)."""
    return int(digest(*parts)[:8], 16) % SEED_SPACE


def table_digest(rows: pa.Table, content: Sequence[str]) -> str:
    """Digest the `content` columns of `rows`, independent of row order and chunking.

    Rows are sorted by the content columns, the key first. Then each column is hashed as a whole:
    the null flags, the lengths of text, and the concatenated values. This is one pass of sha256
    over a few large buffers, so a million captions take seconds.

    Args:
        rows: any table with the content columns; other columns are ignored.
        content: column names, the key first.

    Returns:
        64 hex characters. An empty table has a digest too, which depends on `content` alone.

    Raises:
        TypeError: a content column is neither text, binary, integer nor boolean.
    """
    import pyarrow as pa

    # cast to large types first: an array with more than 2 GiB of text needs 64-bit offsets
    wide = pa.table({name: _widened(rows[name], name) for name in content})
    ordered = wide.sort_by([(name, "ascending") for name in content])
    hasher = hashlib.sha256()
    hasher.update(digest("table", ordered.num_rows, *content).encode())
    for name in content:
        _hash_column(hasher, ordered[name].combine_chunks())
    return hasher.hexdigest()


def _widened(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Cast a column to the type of its kind for which digests are defined."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.int64())
    raise TypeError(
        f"Column {name!r} of type {kind} cannot be digested: content columns are text, binary, "
        "integer or boolean. Leave measurements such as latencies out of the table's content."
    )


def _hash_column(hasher: hashlib._Hash, column: pa.Array | pa.ChunkedArray) -> None:
    """Feed one sorted column to `hasher`: null flags, then lengths, then values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    valid = pc.cast(column.is_valid(), pa.uint8())
    if pa.types.is_int64(column.type):
        parts = [valid, pc.fill_null(column, 0)]
    else:
        filled = pc.fill_null(column.cast(pa.large_binary()), b"")
        parts = [valid, pc.cast(pc.call_function("binary_length", [filled]), pa.int64()), filled]
    for part in parts:
        chunks = part.chunks if isinstance(part, pa.ChunkedArray) else [part]
        for chunk in chunks:
            hasher.update(_value_bytes(chunk))


def _value_bytes(values: pa.Array) -> memoryview | bytes:
    """Return the concatenated values of an array without nulls, without a copy."""
    import pyarrow as pa

    if not len(values):
        return b""
    if pa.types.is_large_binary(values.type):
        _, offsets, data = values.buffers()
        bounds = memoryview(offsets).cast("q")
        first, last = bounds[values.offset], bounds[values.offset + len(values)]
        return memoryview(data)[first:last] if data is not None else b""
    width = values.type.bit_width // 8
    return memoryview(values.buffers()[1])[
        values.offset * width : (values.offset + len(values)) * width
    ]
