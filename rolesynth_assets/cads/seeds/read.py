"""Reading of seeds from files: problems with images, or plain descriptions of a task area.

A row is ``{"problem": ..., "answer": ..., "images": [...]}``, with one ``<image>`` in the problem
for each image, or ``{"description": ...}``. In JSONL an image is a path relative to the file, or a
``data:`` URI; in Parquet it is a path, bytes, or a struct with either. A row that cannot be used
becomes a `SeedReject`, and reading goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rolesynth_assets.cads.prompts.json_object import NumberText
from rolesynth_assets.cads.seeds.files import FileRow, Unreadable, seed_files
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.store.digests import digest, image_id

PLACEHOLDER = "<image>"
MAX_PROBLEM = 8_000
"""Largest number of characters of a problem, because it is part of a prompt."""
MAX_ANSWER = 2_000
MAX_IMAGES = 8
"""Largest number of images of one seed; every request about the seed contains all of them."""
MAX_DETAIL = 300


class SeedReason(StrEnum):
    """Why a row of a seed file did not become a seed."""

    UNREADABLE = "unreadable"
    """The line is not a JSON object or is too long, or the row group cannot be read."""
    NO_PROBLEM = "no_problem"
    """Neither `problem` nor `description` is a non-empty text."""
    TEXT_TOO_LONG = "text_too_long"
    BAD_ANSWER = "bad_answer"
    """The answer is neither text nor a number."""
    IMAGE_COUNT = "image_count"
    """The numbers of ``<image>`` and of images differ, or there are too many images."""
    UNSAFE_PATH = "unsafe_path"
    """An image's path leads out of the file's folder; nothing was read."""
    BAD_IMAGE = "bad_image"
    """An image is missing or cannot be decoded; the detail has the decoder's reason."""
    DUPLICATE = "duplicate"
    """An earlier row has the same problem with the same images."""
    CONTAMINATED = "contaminated"
    """It is an item of a benchmark's test set."""
    WITHDRAWN = "withdrawn"
    """One of its images was withdrawn, and its tombstone exists."""


@dataclass(frozen=True)
class SeedReject:
    """A row that is not a seed, with its file and line, and the reason."""

    domain: str
    source: str
    reason: SeedReason
    detail: str

    def __post_init__(self) -> None:
        """Shorten the detail to one line without unpaired surrogates."""
        line = " ".join(self.detail.split()).encode("utf-8", "replace").decode("utf-8")
        object.__setattr__(self, "detail", line[:MAX_DETAIL])

    @property
    def reject_id(self) -> str:
        """Identity of the reject; each source has one row."""
        return digest("seed reject", self.domain, self.source)


class _Refused(Exception):
    def __init__(self, reason: SeedReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_seeds(path: Path, domain: str) -> Iterator[Seed | SeedReject]:
    """Read the seeds of a file, or of all JSONL and Parquet files of a folder in their order.

    Args:
        path: ``*.jsonl`` or ``*.parquet``, or a folder of them.
        domain: partition that the seeds belong to.

    Yields:
        A seed or a reject for each row. Images are decoded once and re-encoded as plain RGB.

    Raises:
        SeedFileError: the file or folder does not exist, is of another kind, or has no usable
            column; otherwise a project would have no seeds without a visible cause.
    """
    seen: dict[str, str] = {}
    for row in seed_files(path):
        seed = _seed(row, domain)
        if isinstance(seed, Seed):
            first = seen.setdefault(seed.seed_id, seed.source)
            if first != seed.source:
                seed = SeedReject(domain, row.source, SeedReason.DUPLICATE, f"as in {first}")
        yield seed


def seed_id(domain: str, problem: str, images: tuple[bytes, ...]) -> str:
    """Return a seed's identity: domain, problem and images, but not its answer."""
    return digest("seed", domain, problem, *(image_id(image) for image in images))


def _seed(row: FileRow, domain: str) -> Seed | SeedReject:
    try:
        if isinstance(row.fields, Unreadable):
            raise _Refused(SeedReason.UNREADABLE, row.fields.detail)
        problem = _problem(row.fields)
        answer = _answer(row.fields.get("answer"))
        cells = _cells(row.fields)
        asked = problem.count(PLACEHOLDER)
        if asked != len(cells) or asked > MAX_IMAGES:
            detail = (
                f"{len(cells)} images and {asked} {PLACEHOLDER} in the problem; it needs one where "
                f"each image belongs, at most {MAX_IMAGES}"
            )
            raise _Refused(SeedReason.IMAGE_COUNT, detail)
        images = tuple(_image(cell, row.folder) for cell in cells)
    except _Refused as refused:
        return SeedReject(domain, row.source, refused.reason, str(refused))
    return Seed(seed_id(domain, problem, images), domain, problem, answer, images, row.source)


def _problem(fields: Mapping[str, Any]) -> str:
    text = fields.get("problem")
    if text is None:
        text = fields.get("description")
    if not isinstance(text, str) or not text.strip():
        raise _Refused(SeedReason.NO_PROBLEM, "neither problem nor description is a text")
    return _bounded(text.strip(), MAX_PROBLEM, SeedReason.NO_PROBLEM)


def _answer(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, NumberText):
        return value.spelling
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _Refused(SeedReason.BAD_ANSWER, f"answer is a {type(value).__name__}")
    return _bounded(str(value).strip(), MAX_ANSWER, SeedReason.BAD_ANSWER) or None


def _bounded(text: str, longest: int, unusable: SeedReason) -> str:
    if len(text) > longest:
        detail = f"{len(text)} characters; at most {longest}"
        raise _Refused(SeedReason.TEXT_TOO_LONG, detail)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused(unusable, "half a surrogate pair: no text in Unicode") from None
    return text


def _cells(fields: Mapping[str, Any]) -> list[Any]:
    """Return the images of a row as a list, also if it has a single image."""
    value = fields.get("images")
    if value is None:
        value = fields.get("image")
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _image(cell: Any, folder: Path) -> bytes:
    from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise

    normal = normalise(_encoded(cell, folder))
    if not isinstance(normal, NormalisedImage):
        raise _Refused(SeedReason.BAD_IMAGE, f"{normal.reason}: {normal.detail}")
    return normal.data


def _encoded(cell: Any, folder: Path) -> bytes:
    """Return the bytes that a cell holds or refers to."""
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str):
        raise _Refused(SeedReason.BAD_IMAGE, f"a {type(cell).__name__} is no path and no bytes")
    return _from_uri(cell) if cell.startswith("data:") else _from_path(cell, folder)


def _from_uri(uri: str) -> bytes:
    import base64
    import binascii

    head, _, body = uri.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("no base64")
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _Refused(SeedReason.BAD_IMAGE, f"unreadable data: URI: {error}") from None


def _from_path(name: str, folder: Path) -> bytes:
    from rolesynth_assets.images.limits import limits_in_use
    from rolesynth_assets.images.places.paths import unsafe_path
    from rolesynth_assets.images.readers.member import read_file

    if why := unsafe_path(name):
        raise _Refused(SeedReason.UNSAFE_PATH, f"{why}: {name}")
    data = read_file(str(folder / name), limits_in_use().image.max_bytes)
    if not isinstance(data, bytes):
        raise _Refused(SeedReason.BAD_IMAGE, f"{name}: {data.reason}: {data.detail}")
    return data
