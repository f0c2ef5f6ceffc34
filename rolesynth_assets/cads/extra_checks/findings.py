"""Checks beyond C, because C >= 1 alone lets wrong references through (CADS, known weakness).

Each is reported apart from C and decides nothing by itself. All are pure functions of what is
known about a candidate; none of them reads a seed's archived answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from rolesynth_assets.answers.options import options
from rolesynth_assets.cads.prompts.replies import INSUFFICIENT
from rolesynth_assets.cads.values import Verdict

if TYPE_CHECKING:
    from datasketch import MinHash

Equal = Callable[[str, str], bool | None]
"""Whether two answers are equal, or None where that could not be settled."""

SHINGLE_WORDS = 3
"""Words in a shingle: a templated question with another object in it then shares few of them."""
TEXT_SIMILARITY = 0.8
"""Share of common shingles (Jaccard) from which on two questions are the same."""
PICTURE_BITS = 4
"""Bits, of 64, in which the perceptual hashes of two drawings of one scene may differ."""
_PERMUTATIONS = 128  # of the MinHash; similarity is then estimated to within about 0.05

_WORD = re.compile(r"\w+(?:\.\d+)?")
_NUMBER = re.compile(r"(?<![\w.])(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,30})(?P<part>\.\d{1,30})?")
_NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()  # "one" is left out: "which one" counts nothing
_SPELLED = {word: Fraction(value) for value, word in enumerate(_NUMBER_WORDS, start=2)}


def text_only_leak(correct: Iterable[bool | None]) -> bool | None:
    """Say whether somebody solved the problem without its image (extra check a).

    A lucky guess looks the same: of three judges who guess among four options one is right more
    often than not, so for multiple-choice problems this check costs good ones too.

    Args:
        correct: of each judge asked without the image, whether its answer equals the reference;
            None where that is not known.

    Returns:
        None when nobody is known to have solved it and one of them is not known, or none was asked.
    """
    known = list(correct)
    if any(known):
        return True
    return None if None in known or not known else False


def suspect_label(answers: Sequence[str | None], reference: str, equal: Equal) -> bool | None:
    """Say whether a majority of judges agrees on one answer that is not the reference (check b).

    Args:
        answers: of all judges, the writer included; None where one gave none. An
            INSUFFICIENT_INFORMATION counts as a judge without an opinion.
        reference: the writer's answer.
        equal: settles equality; what it cannot settle counts as different answers.

    Returns:
        None when there is such an answer but whether it equals the reference could not be settled,
        and when the missing answers could still make a majority.
    """
    groups: list[list[str]] = []
    for answer in answers:
        if answer is None or _insufficient(answer):
            continue
        home = next((group for group in groups if equal(group[0], answer)), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    needed = len(answers) // 2 + 1
    largest = max(groups, key=len, default=[])
    if len(largest) < needed:
        open_still = len(largest) + sum(answer is None for answer in answers) >= needed
        return None if open_still else False
    settled = [equal(reference, answer) for answer in largest]
    if True in settled:
        return False
    return None if None in settled else True


def copied_numbers(question: str, answer: str, seed_problem: str) -> bool:
    """Say whether the problem brings no number of its own but takes all from the seed (check c).

    Options do not count, for they surround the answer with other numbers. A single number in common
    proves nothing, so at least two are needed: in the question, or one there and the answer.

    Args:
        question: the new question.
        answer: the new answer.
        seed_problem: the seed's problem; its archived answer plays no part.
    """
    ours, seeds = _numbers(_stem(question)), _numbers(_stem(seed_problem))
    if not ours or not ours <= seeds:
        return False
    return len(ours) > 1 or bool(_numbers(answer) & seeds - ours)


def consensus_without_writer(verdicts: Sequence[Verdict], writer: str) -> int | None:
    """Return C without the writer's own verdict (check e).

    Args:
        verdicts: of all K judges.
        writer: member that wrote the candidate; if it is no judge, this is C itself.

    Returns:
        None when one of the other verdicts is missing its `correct`, or there is no other.
    """
    others = [verdict.correct for verdict in verdicts if verdict.judge != writer]
    return None if None in others or not others else others.count(True)


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


def _insufficient(answer: str) -> bool:
    return answer.strip(" .\"'").upper().replace(" ", "_") == INSUFFICIENT


def _stem(question: str) -> str:
    end = len(question)
    for text in reversed(options(question).values()):
        end = question.rfind(text, 0, end)
    return question[:end]


def _numbers(text: str) -> set[Fraction]:
    found = {
        Fraction(match["whole"].replace(",", "") + (match["part"] or ""))
        for match in _NUMBER.finditer(text)
    }
    return found | {_SPELLED[word] for word in text.lower().split() if word in _SPELLED}
