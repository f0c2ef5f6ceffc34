"""Detection of seeds that are items of a benchmark's test set.

An item is identified by its image, or by its text if that is long enough to be specific. A short
question ("How many are red?") about another image is another problem, and words that many items
share are a template or an instruction; neither is a hit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject
from rolesynth_assets.cads.values import Seed

if TYPE_CHECKING:
    import numpy as np

WORDS = 13
"""Consecutive words that identify a text (GPT-3's overlap analysis, Brown et al. 2020, app. C)."""
MOST_SHARED = 5
"""Items that may share such a sequence of words; if more do, it counts as a template."""
MOST_BITS = 8
"""Bits, out of 64, in which the perceptual hashes of two copies may differ."""
MOST_MEAN, MOST_CELL = 3.0, 64.0
"""Largest difference of two copies over 16 x 16 RGB cells of 0-255: on average, and in one cell.

The hash ignores colour: 59 % of easy-VQA's training images have a test image within 8 bits, but
none has one that is also within these bounds. Copies that were stored as JPEG of quality 50 and
scaled by 3/4 are within them.
"""
SIDE = 16


class HitKind(StrEnum):
    """The feature by which a seed matches an item."""

    TEXT = "text"
    """The same 13 consecutive words, or the same shorter text without an image."""
    IMAGE = "image"
    """The same bytes."""
    NEAR_IMAGE = "near_image"
    """The same picture in other bytes."""


@dataclass(frozen=True)
class HeldOutItem:
    """One item of a test set: a name to report, its question, its encoded images."""

    name: str
    question: str
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Hit:
    """The item that a seed matches, and the feature by which it matches."""

    kind: HitKind
    item: str
    detail: str


class _Look(NamedTuple):
    """Features by which an image is compared: perceptual hash, and colours of its 16 x 16 cells."""

    phash: int
    cells: np.ndarray


class Decontaminator:
    """An index of the items of all benchmarks that finds those that a seed matches."""

    def __init__(self, items: Iterable[HeldOutItem]) -> None:
        """Index `items`; an image that cannot be decoded is compared only by its bytes."""
        import numpy as np

        rows: defaultdict[str, list[str]] = defaultdict(list)
        self._bytes: dict[str, str] = {}
        self._named: list[str] = []
        looks: list[_Look] = []
        for item in items:
            for row in dict.fromkeys(_rows(item.question, alone=not item.images)):
                rows[row].append(item.name)
            for image in item.images:
                self._bytes.setdefault(sha256(image).hexdigest(), item.name)
                if look := _look(image):
                    looks.append(look)
                    self._named.append(item.name)
        self._rows = {row: names[0] for row, names in rows.items() if len(names) <= MOST_SHARED}
        self._hashes = np.array([look.phash for look in looks], dtype=np.uint64)
        cells = [look.cells for look in looks]
        self._cells = np.stack(cells) if cells else np.empty((0, SIDE * SIDE * 3), np.float32)

    def hit(self, problem: str, images: Iterable[bytes] = ()) -> Hit | None:
        """Return the first item that a problem matches: by image, then by text.

        Args:
            problem: text of the seed.
            images: encoded images of the seed.
        """
        images = tuple(images)
        for image in images:
            if found := self._image_hit(image):
                return found
        for row in _rows(problem, alone=not images):
            if row in self._rows:
                return Hit(HitKind.TEXT, self._rows[row], f"both say: {row}")
        return None

    def _image_hit(self, image: bytes) -> Hit | None:
        import numpy as np

        name = self._bytes.get(sha256(image).hexdigest())
        if name is not None:
            return Hit(HitKind.IMAGE, name, "the same image file")
        look = _look(image)
        if look is None:
            return None
        bits = np.bitwise_count(self._hashes ^ np.uint64(look.phash))
        close = np.flatnonzero(bits <= MOST_BITS)
        apart = np.abs(self._cells[close] - look.cells)
        same = (apart.mean(axis=1) <= MOST_MEAN) & (apart.max(axis=1, initial=0) <= MOST_CELL)
        if not same.any():
            return None
        first = int(close[np.argmax(same)])
        return Hit(
            HitKind.NEAR_IMAGE,
            self._named[first],
            f"the same picture: {int(bits[first])} of 64 bits of the perceptual hash differ",
        )


def decontaminated(
    rows: Iterable[Seed | SeedReject], benchmarks: Decontaminator
) -> Iterator[Seed | SeedReject]:
    """Turn each seed that matches a benchmark's item into a `SeedReject`; yield the rest as is."""
    for row in rows:
        hit = benchmarks.hit(row.problem, row.images) if isinstance(row, Seed) else None
        if hit is None:
            yield row
        else:
            detail = f"{hit.kind} of {hit.item}: {hit.detail}"
            yield SeedReject(row.domain, row.source, SeedReason.CONTAMINATED, detail)


def _rows(text: str, alone: bool) -> Iterator[str]:
    """Yield every sequence of 13 consecutive words; a shorter text as a whole if `alone`."""
    words = re.findall(r"[^\W_]+", text.replace("<image>", " ").casefold())
    if len(words) < WORDS:
        if words and alone:
            yield " ".join(words)
        return
    for start in range(len(words) - WORDS + 1):
        yield " ".join(words[start : start + WORDS])


def _look(image: bytes) -> _Look | None:
    """Return the features by which an image is compared; None if it cannot be decoded."""
    import imagehash
    import numpy as np
    from PIL import Image

    from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
    from rolesynth_assets.pictures.opened import open_picture

    normal = normalise(image)
    if not isinstance(normal, NormalisedImage):
        return None
    with open_picture(normal.data) as opened:
        picture = opened.convert("RGB")
    cells = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return _Look(
        int(str(imagehash.phash(picture)), 16), np.asarray(cells, dtype=np.float32).ravel()
    )
