"""Whether a seed is an item of a benchmark's test set.

Two things identify an item: its image, and its text where that is long enough to be its own. A
short question ("How many are red?") about another image is another problem, and words that many
items share are a template or an instruction; neither is a hit.
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
"""Words in a row that identify a text (GPT-3's overlap analysis, Brown et al. 2020, appendix C)."""
MOST_SHARED = 5
"""Items that may have such a row in common before it counts as a template."""
MOST_BITS = 8
"""Bits of 64 in which the perceptual hashes of two copies may differ."""
MOST_MEAN, MOST_CELL = 3.0, 64.0
"""Difference of two copies at 16 x 16 RGB cells of 0-255: on average, and in one cell.

The hash sees no colour: of easy-VQA's training images 59 % have a test image within 8 bits, and
none within these bounds too, while copies stored as JPEG of quality 50 and scaled by 3/4 stay
inside.
"""
SIDE = 16


class HitKind(StrEnum):
    """What gave a seed away."""

    TEXT = "text"
    """A row of 13 words, or the whole of a shorter text that has no image."""
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
    """Which item a seed matches, and how."""

    kind: HitKind
    item: str
    detail: str


class _Look(NamedTuple):
    """An image as it is compared: perceptual hash, and the colours of its 16 x 16 cells."""

    phash: int
    cells: np.ndarray


class Decontaminator:
    """Knows the items of all benchmarks and finds those that a seed matches."""

    def __init__(self, items: Iterable[HeldOutItem]) -> None:
        """Index `items`; an image that cannot be decoded is compared by its bytes alone."""
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
            problem: the seed's text.
            images: its encoded images.
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
    """Turn each seed that is a benchmark's item into a `SeedReject`; all else passes through."""
    for row in rows:
        hit = benchmarks.hit(row.problem, row.images) if isinstance(row, Seed) else None
        if hit is None:
            yield row
        else:
            detail = f"{hit.kind} of {hit.item}: {hit.detail}"
            yield SeedReject(row.domain, row.source, SeedReason.CONTAMINATED, detail)


def _rows(text: str, alone: bool) -> Iterator[str]:
    """Yield each 13 words in a row; of a shorter text all of it, if it stands without an image."""
    words = re.findall(r"[^\W_]+", text.replace("<image>", " ").casefold())
    if len(words) < WORDS:
        if words and alone:
            yield " ".join(words)
        return
    for start in range(len(words) - WORDS + 1):
        yield " ".join(words[start : start + WORDS])


def _look(image: bytes) -> _Look | None:
    """Return how an image looks; None when it cannot be decoded."""
    import io

    import imagehash
    import numpy as np
    from PIL import Image

    from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise

    normal = normalise(image)
    if not isinstance(normal, NormalisedImage):
        return None
    with Image.open(io.BytesIO(normal.data)) as opened:
        picture = opened.convert("RGB")
    cells = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return _Look(
        int(str(imagehash.phash(picture)), 16), np.asarray(cells, dtype=np.float32).ravel()
    )
