"""The columns of a table that may hold images."""

from __future__ import annotations

import pyarrow as pa

#: Names of columns of plain bytes that are taken for images, in order of preference; Hugging Face
#: datasets write `image`, img2dataset writes `jpg`.
USUAL_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "image_bytes", "bytes", "data")
_USUAL_LISTS = ("images", "imgs")


class NoImageColumnError(ValueError):
    """A table has no column that could hold encoded images, or several."""


class SeveralColumnsError(NoImageColumnError):
    """A table has several columns of images, and none was named."""


def pick_column(schema: pa.Schema, asked: str | None, uri: str) -> str:
    """Choose the column that holds encoded images.

    A column of structs with `bytes`, or of lists of them, counts under any name; one of plain bytes
    counts under a usual name. Base64 text is read only if the user names the column.

    Args:
        schema: the table's schema.
        asked: a column that the user named, or None.
        uri: the table's URI, for the error message.

    Raises:
        NoImageColumnError: there is no such column; the message lists the existing ones.
        SeveralColumnsError: there are several, and none was named.
    """
    if asked:
        if asked in schema.names and _may_hold(schema.field(asked).type):
            return asked
    else:
        found = [field.name for field in schema if _counts(field)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SeveralColumnsError(
                f"{uri} has several columns of images: {', '.join(found)}. "
                "`rolesynth ingest PATH --column NAME` takes one of them; run it again for another."
            )
    wanted = f"the column {asked!r}" if asked else "a column of image bytes"
    there = ", ".join(f"{field.name} ({field.type})" for field in schema)
    raise NoImageColumnError(
        f"{uri} has not {wanted}: bytes, a struct with a field `bytes`, a list of either, or "
        f"base64 text under a name that you give. It has: {there}. "
        "`rolesynth ingest --column NAME` takes another one."
    )


def _counts(field: pa.Field) -> bool:
    kind = _plain(field.type)
    if _is_record(kind):
        return True
    if _is_list(kind):
        inner = _plain(kind.value_type)
        usual = field.name in USUAL_COLUMNS + _USUAL_LISTS
        return _is_record(inner) or (_is_binary(inner) and usual)
    return _is_binary(kind) and field.name in USUAL_COLUMNS


def _may_hold(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    if _is_list(kind):
        kind = _plain(kind.value_type)
    return _is_record(kind) or _is_binary(kind) or _is_text(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.DictionaryType):
        return kind.value_type
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_record(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    fields = {field.name: field.type for field in kind}
    return "bytes" in fields and _is_binary(_plain(fields["bytes"]))


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_binary(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
