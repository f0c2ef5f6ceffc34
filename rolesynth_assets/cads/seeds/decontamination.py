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

from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.images.near_copies import Look, look_of, together

WORDS = 13
"""Consecutive words that identify a text (GPT-3's overlap analysis, Brown et al. 2020, app. C).

In scripts that write no spaces between words, such as Chinese and Thai, a character is a word.
"""
MOST_SHARED = 5
"""Items that may share such a sequence of words; if more do, it counts as a template."""
# Thai, Lao, Burmese, Khmer; Japanese; Chinese characters and their extensions
_NO_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_NO_SPACES += r"\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_NO_SPACES}]|(?:(?![{_NO_SPACES}])[^\W_])+")


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


class Decontaminator:
    """An index of the items of all benchmarks that finds those that a seed matches."""

    def __init__(self, items: Iterable[HeldOutItem]) -> None:
        """Index `items`; an image that cannot be decoded is compared only by its bytes."""
        rows: defaultdict[str, list[str]] = defaultdict(list)
        self._bytes: dict[str, str] = {}
        self._named: list[str] = []
        looks: list[Look] = []
        for item in items:
            for row in dict.fromkeys(_rows(item.question, alone=not item.images)):
                rows[row].append(item.name)
            for image in item.images:
                self._bytes.setdefault(sha256(image).hexdigest(), item.name)
                if look := look_of(image):
                    looks.append(look)
                    self._named.append(item.name)
        self._rows = {row: names[0] for row, names in rows.items() if len(names) <= MOST_SHARED}
        self._looks = together(looks)

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
        name = self._bytes.get(sha256(image).hexdigest())
        if name is not None:
            return Hit(HitKind.IMAGE, name, "the same image file")
        look = look_of(image)
        found = self._looks.nearest(look) if look else None
        if found is None:
            return None
        place, bits = found
        return Hit(
            HitKind.NEAR_IMAGE,
            self._named[place],
            f"the same picture: {bits} of 64 bits of the perceptual hash differ",
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
    words = _WORD.findall(text.replace("<image>", " ").casefold())
    if len(words) < WORDS:
        if words and alone:
            yield " ".join(words)
        return
    for start in range(len(words) - WORDS + 1):
        yield " ".join(words[start : start + WORDS])
