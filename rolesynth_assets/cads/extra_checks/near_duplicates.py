"""Detection of problems that repeat an earlier question, answer and picture (extra check d)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import _WORD

if TYPE_CHECKING:
    from datasketch import MinHash


SHINGLE_WORDS = 3
"""Words in a shingle; two questions from one template with different objects then share few."""

TEXT_SIMILARITY = 0.8
"""Two questions count as the same from this share of common shingles (Jaccard)."""

PICTURE_BITS = 4
"""Bits, out of 64, in which the perceptual hashes of two drawings of one scene may differ."""

_PERMUTATIONS = 128  # of the MinHash, which then estimates the similarity to within about 0.05


@dataclass(frozen=True)
class ProblemPrint:
    """The features by which two problems are compared.

    Attributes:
        key: candidate id.
        shingles: shingles of the normalised question, options included.
        answer: normalised answer.
        picture: perceptual hash of the image, 64 bits.
    """

    key: str
    shingles: frozenset[str]
    answer: str
    picture: int


def problem_print(key: str, question: str, answer: str, image: bytes) -> ProblemPrint:
    """Compute the features by which a problem is compared.

    Args:
        key: candidate id.
        question: the question with its options.
        answer: the reference.
        image: the encoded image, from a drawing that has been normalised.
    """
    import imagehash

    from rolesynth_assets.pictures.opened import open_picture

    with open_picture(image) as picture:
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
    """Find problems with the question, answer and picture of an existing one (check d).

    Two questions are the same if they share `TEXT_SIMILARITY` of their shingles; candidates are
    found by MinHash and then counted exactly. Two pictures are the same if their perceptual hashes
    differ in at most `PICTURE_BITS` bits. The answer is compared because counting three apples and
    counting four apples in scenes that otherwise look alike are two problems.

    Args:
        problems: problems of one round of a domain.
        earlier: problems of its earlier rounds, which are kept in preference to later ones.

    Returns:
        A mapping from the key of each repeated problem to the key of the kept one. Of several in
        one round, the first by key is kept, so their order does not matter. A problem is compared
        with kept ones only.
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
