"""Why an offered file did not become an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_DETAIL = 200  # characters; a detail is read in a table cell
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


class RejectReason(StrEnum):
    """One reason per rejected file, counted in every ingest report."""

    EMPTY = "empty"
    """The file or cell has zero bytes."""
    MISSING_BYTES = "missing_bytes"
    """A table row holds no image bytes: null, or only a path to some other file."""
    TOO_MANY_BYTES = "too_many_bytes"
    """The encoded file is larger than the limit; it was not read further."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is no raster image, whatever its name says (text, HTML, SVG, audio)."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An image in a format that is not on the list, such as AVIF, HEIC or PSD."""
    UNSUPPORTED_PIXELS = "unsupported_pixels"
    """Pixel values with no agreed brightness range, such as 32-bit float TIFF."""
    CORRUPT = "corrupt"
    """The right format, but the decoder cannot read it."""
    TRUNCATED = "truncated"
    """The file ends before the image does."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """Width x height in the header is over the limit; nothing was decoded."""
    TOO_MUCH_MEMORY = "too_much_memory"
    """Decoding would take more memory than the limit, by the header; nothing was decoded."""
    SIDE_TOO_LONG = "side_too_long"
    SIDE_TOO_SHORT = "side_too_short"
    TOO_ELONGATED = "too_elongated"
    """Longer side / shorter side is over the limit."""
    TOO_MANY_SCANS = "too_many_scans"
    """A progressive JPEG with so many scans that decoding would take minutes."""
    METADATA_BOMB = "metadata_bomb"
    """Compressed text or profile data that unpacks beyond its limit."""
    ANIMATED = "animated"
    """Several frames or pages: no single picture that a caption could be about."""
    DUPLICATE = "duplicate"
    """The same bytes stood earlier in the same shard."""
    WITHDRAWN = "withdrawn"
    """The same bytes were withdrawn, and their tombstone stands."""
    UNSAFE_PATH = "unsafe_path"
    """An absolute or parent path, a link, a device: nothing was read."""
    UNREADABLE = "unreadable"
    """The file system refused it, or it is gone."""
    BROKEN_ARCHIVE = "broken_archive"
    """A stretch of a tar, parquet or Lance container that cannot be read."""
    ARCHIVE_BOMB = "archive_bomb"
    """A container that unpacks to far more bytes than it has, or for too long."""
    TOO_MANY_MEMBERS = "too_many_members"
    """A container of more members or rows than the limit; the rest was not read."""
    SPARSE_MEMBER = "sparse_member"
    """A tar member with holes, whose size is whatever its map says."""
    TOO_DEEP = "too_deep"
    """A folder below more folders than the limit; it was not looked into."""


@dataclass(frozen=True)
class Reject:
    """A reason and one line for a person.

    Attributes:
        reason: Counted in reports.
        detail: At most 200 characters on one line, the same on every run.
    """

    reason: RejectReason
    detail: str = ""

    def __post_init__(self) -> None:
        """Keep the detail short, on one line and free of memory addresses."""
        line = _ADDRESS.sub("0x", " ".join(self.detail.split()))
        line = line.encode("utf-8", "replace").decode("utf-8")
        object.__setattr__(self, "detail", line[:MAX_DETAIL])
