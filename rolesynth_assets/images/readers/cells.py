"""The images of one cell of a table: bytes, a struct with `bytes`, base64 text, a list of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import pyarrow as pa

from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.readers.member import Member

_PREFIX_BYTES = 1024  # at most, of a data: URI before its base64, and of line breaks


def cell_members(source: str, cell: pa.Scalar, max_bytes: int) -> Iterator[Member]:
    """Yield the images of a cell; those of a list get their number after `source::`.

    Args:
        source: `table::row`.
        cell: the cell.
        max_bytes: a larger image is refused.
    """
    if not isinstance(cell, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)):
        yield Member(source, _image(cell, max_bytes))
    elif not cell.is_valid or not len(cell.values):
        yield Member(source, Reject(RejectReason.MISSING_BYTES, "a list without any image"))
    else:
        for number, value in enumerate(cell.values):
            yield Member(f"{source}::{number}", _image(value, max_bytes))


def _image(cell: pa.Scalar, max_bytes: int) -> bytes | Reject:
    if isinstance(cell, pa.ExtensionScalar):
        cell = cell.value
    if isinstance(cell, pa.StructScalar):
        inner = cell["bytes"] if cell.is_valid else None
        if inner is None or not inner.is_valid:
            detail = "the row has no `bytes`, at most a path; embed the images in the table"
            return Reject(RejectReason.MISSING_BYTES, detail)
        cell = inner
    if isinstance(cell, pa.DictionaryScalar):
        cell = cell.value
    if cell is None or not cell.is_valid:
        return Reject(RejectReason.MISSING_BYTES, "null")
    text = isinstance(cell, (pa.StringScalar, pa.LargeStringScalar, pa.StringViewScalar))
    buffer = cell.as_buffer()  # type: ignore[attr-defined]
    most = max_bytes * 4 // 3 + _PREFIX_BYTES if text else max_bytes
    if buffer.size > most:
        detail = f"{buffer.size} bytes; the limit is {max_bytes}, limits.image.max_bytes"
        return Reject(RejectReason.TOO_MANY_BYTES, detail)
    return _from_base64(buffer.to_pybytes()) if text else buffer.to_pybytes()


def _from_base64(text: bytes) -> bytes | Reject:
    head, comma, body = text.partition(b",")
    if not (comma and head.lstrip().startswith(b"data:") and head.endswith(b";base64")):
        body = text
    try:
        return base64.b64decode(b"".join(body.split()).translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        detail = "text that is no base64, such as a path; embed the images in the table"
        return Reject(RejectReason.MISSING_BYTES, detail)


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
