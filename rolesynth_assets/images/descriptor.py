"""The description of a shard: a fixed list of members of one source, which is one partition."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# stricter than Dagster's partition keys (no "|", "...", newline or tab) and file names (no "/")
NAME_PATTERN = r"^[A-Za-z0-9_]+(?:[.\-][A-Za-z0-9_]+)*$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=120)]
_ESCAPED = "%bytes:"


class ShardKind(StrEnum):
    """The kind of source, which decides how the members are read."""

    FOLDER = "folder"
    TAR = "tar"
    ZIP = "zip"
    PARQUET = "parquet"
    LANCE = "lance"


class ShardDescriptor(BaseModel):
    """One shard, as it is registered. Registered shards never change.

    Attributes:
        key: `<name>-0000`; a valid Dagster partition key and file name.
        name: the collection to which the shard belongs.
        kind: kind of the source.
        uri: absolute path of the folder, the tar, the parquet file or the Lance dataset; or the URL
            of a prefix, a tar or a parquet file in a bucket. In the registry's files, a path below
            the folder of the data root is relative to that folder.
        members: for a folder, the paths below `uri`, in order (see `encode_path`); else empty.
        first_row: for parquet and Lance, the first row, counted from 0.
        rows: for parquet and Lance, the number of rows.
        column: for parquet and Lance, the column with the image bytes.
        version: for Lance, the dataset version to which the row range refers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Name
    name: Name
    kind: ShardKind
    uri: str
    members: tuple[str, ...] = ()
    first_row: int = Field(default=0, ge=0)
    rows: int | None = Field(default=None, ge=0)
    column: str | None = None
    version: int | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.kind in (ShardKind.PARQUET, ShardKind.LANCE) and None in (self.column, self.rows):
            raise ValueError(f"a {self.kind} shard needs `column` and `rows`")
        if (self.kind is ShardKind.FOLDER) != bool(self.members):
            raise ValueError("a folder shard must have members, and no other shard may have any")
        return self

    @property
    def expected_members(self) -> int:
        """Number of members; 0 for a tar, whose number is known only after reading it."""
        return len(self.members) if self.kind is ShardKind.FOLDER else self.rows or 0


def is_url(path: str | Path) -> bool:
    """Whether `path` is a URL of any scheme."""
    return "://" in str(path)


def encode_path(path: str) -> str:
    """Encode a file path as text that JSON and Arrow can hold.

    File names are bytes; a name that is not UTF-8 is percent-encoded after a marker.
    """
    if not path.startswith(_ESCAPED):
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            pass
        else:
            return path
    return _ESCAPED + quote_from_bytes(os.fsencode(path))


def decode_path(member: str) -> str:
    """Return the path that `encode_path` encoded."""
    if member.startswith(_ESCAPED):
        return os.fsdecode(unquote_to_bytes(member.removeprefix(_ESCAPED)))
    return member
