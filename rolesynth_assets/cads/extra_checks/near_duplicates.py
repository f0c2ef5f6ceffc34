"""Problems that repeat an earlier one: the same question, answer and picture (extra check d)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import _WORD

if TYPE_CHECKING:
    from datasketch import MinHash


SHINGLE_WORDS = 3
"""Words in a shingle: a templated question with another object in it then shares few of them."""

TEXT_SIMILARITY = 0.8
"""Share of common shingles (Jaccard) from which on two questions are the same."""

PICTURE_BITS = 4
"""Bits, of 64, in which the perceptual hashes of two drawings of one scene may differ."""

_PERMUTATIONS = 128  # of the MinHash; similarity is then estimated to within about 0.05


@dataclass(frozen=True)
class ProblemPrint:
    """What two problems are compared by.

    Attributes:
        key: candidate id.
        shingles: of the normalised question, options included.
        answer: normalised.
        picture: perceptual hash of the image, 64 bits.
    """

    key: str
    shingles: frozenset[str]
    answer: str
    picture: int


def problem_print(key: str, question: str, answer: str, image: bytes) -> ProblemPrint:
    """Take the print of a problem.

    Args:
        key: candidate id.
        question: with its options.
        answer: the reference.
        image: encoded, of a drawing that has been normalised.
    """
    import io

    import imagehash
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        bits = imagehash.phash(picture.convert("RGB")).hash.flatten()
    words = _WORD.findall(question.lower())
    count = max(1, len(words) - SHINGLE_WORDS + 1)
    return ProblemPrint(
        key=key,
        shingles=frozenset(" ".join(words[n : n + SHINGLE_WORDS]) for n in range(count)),
        answer=" ".join(_WORD.findall(answer.lower())) or answer.strip(),
        picture=int("".join("1" if bit else "0" for bit in bits), 2),
    )


def duplicates(
    problems: Iterable[ProblemPrint], earlier: Iterable[ProblemPrint] = ()
) -> dict[str, str]:
    """Find problems that are there already (check d): same question, same answer, same picture.

    Two questions are the same when they share `TEXT_SIMILARITY` of their shingles, found by MinHash
    and then counted exactly; two pictures when their perceptual hashes differ in `PICTURE_BITS` at
    most. Counting three apples and counting four in scenes that otherwise look alike are two
    problems, hence the answer.

    Args:
        problems: of one round of a domain.
        earlier: of its earlier rounds, which win over later ones.

    Returns:
        The key of the problem that is kept by the key of each that repeats it. Of several in one
        round the first by key is kept, so the order in which they come does not matter. A problem
        is held against those that are kept only.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=TEXT_SIMILARITY, num_perm=_PERMUTATIONS)
    texts: dict[frozenset[str], int] = {}
    by_number: list[frozenset[str]] = []
    kept: defaultdict[tuple[int, str], list[ProblemPrint]] = defaultdict(list)
    copies: dict[str, str] = {}
    known = sorted(earlier, key=_key)
    places = {print_.key: place for place, print_ in enumerate(known)}
    new = [p for p in sorted(problems, key=_key) if p.key not in places]
    places |= {print_.key: len(known) + place for place, print_ in enumerate(new)}
    for problem in (*known, *new):
        sketch = _sketch(MinHash(num_perm=_PERMUTATIONS, seed=1), problem.shingles)
        if problem.shingles not in texts:
            texts[problem.shingles] = len(by_number)
            index.insert(len(by_number), sketch)
            by_number.append(problem.shingles)
        near = {number for number in index.query(sketch) if isinstance(number, int)}
        near = {n for n in near if _jaccard(by_number[n], problem.shingles) >= TEXT_SIMILARITY}
        alike = [
            other
            for number in near
            for other in kept[number, problem.answer]
            if (other.picture ^ problem.picture).bit_count() <= PICTURE_BITS
        ]
        if alike:
            copies[problem.key] = min(alike, key=lambda other: places[other.key]).key
        else:
            kept[texts[problem.shingles], problem.answer].append(problem)
    return {key: first for key, first in copies.items() if places[key] >= len(known)}


def _key(problem: ProblemPrint) -> str:
    return problem.key


def _sketch(sketch: MinHash, shingles: frozenset[str]) -> MinHash:
    sketch.update_batch([shingle.encode() for shingle in sorted(shingles)])
    return sketch


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
