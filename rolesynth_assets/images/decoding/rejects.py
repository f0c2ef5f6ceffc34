"""The reasons for which a file is rejected as an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_DETAIL = 200  # characters; a detail is read in a table cell
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


class RejectReason(StrEnum):
    """The reasons, one for each rejected file, which every ingest report counts."""

    EMPTY = "empty"
    """The file or cell has zero bytes."""
    MISSING_BYTES = "missing_bytes"
    """A table row has no image bytes: it is null, or only a path to another file."""
    TOO_MANY_BYTES = "too_many_bytes"
    """The encoded file is larger than the limit."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is not a raster image, whatever its name (text, HTML, SVG, audio)."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An image in an unsupported format, such as JPEG 2000 or PSD."""
    UNSUPPORTED_PIXELS = "unsupported_pixels"
    """Pixel values with no agreed brightness range, such as 32-bit float TIFF."""
    CORRUPT = "corrupt"
    """A file in a supported format that the decoder cannot read."""
    TRUNCATED = "truncated"
    """The file ends before the image does."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """Width x height in the header exceeds the limit; nothing was decoded."""
    TOO_MUCH_MEMORY = "too_much_memory"
    """Decoding takes more memory than the limit, by the header or by the limited decoder."""
    SIDE_TOO_LONG = "side_too_long"
    SIDE_TOO_SHORT = "side_too_short"
    TOO_ELONGATED = "too_elongated"
    """Longer side / shorter side exceeds the limit."""
    TOO_SLOW = "too_slow"
    """Decoding took longer than the limit."""
    TOO_MANY_SCANS = "too_many_scans"
    """A progressive JPEG with so many scans that decoding would take minutes."""
    METADATA_BOMB = "metadata_bomb"
    """Compressed text or profile data expands beyond its limit."""
    ANIMATED = "animated"
    """A file with several frames or pages, so that a caption has no single subject."""
    DUPLICATE = "duplicate"
    """The same bytes occurred earlier in the same shard, or are in another one."""
    WITHDRAWN = "withdrawn"
    """The same bytes were withdrawn, and their tombstone still exists."""
    UNSAFE_PATH = "unsafe_path"
    """An absolute path, a path through a parent folder, a link or a device; nothing was read."""
    UNREADABLE = "unreadable"
    """The file system refused access."""
    SOURCE_MISSING = "source_missing"
    """The file or object no longer exists; its row, if it had one, is kept for a time."""
    BROKEN_ARCHIVE = "broken_archive"
    """A range of a tar, parquet or Lance container cannot be read."""
    ARCHIVE_BOMB = "archive_bomb"
    """A container expands to far more bytes than it has, or takes too long to unpack."""
    TOO_MANY_MEMBERS = "too_many_members"
    """A container has more members or rows than the limit; the rest was not read."""
    SPARSE_MEMBER = "sparse_member"
    """A tar member with holes, whose map may state any size."""
    TOO_DEEP = "too_deep"
    """A folder below more folders than the limit; it was not read."""


@dataclass(frozen=True)
class Reject:
    """A rejected file: the reason and one line of detail.

    Attributes:
        reason: the reason, which reports count.
        detail: at most 200 characters on one line, the same in every run.
    """

    reason: RejectReason
    detail: str = ""

    def __post_init__(self) -> None:
        """Keep the detail short, on one line and free of memory addresses."""
        line = _ADDRESS.sub("0x", " ".join(self.detail.split()))
        line = line.encode("utf-8", "replace").decode("utf-8")
        object.__setattr__(self, "detail", line[:MAX_DETAIL])
