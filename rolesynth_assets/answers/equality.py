"""The rules that decide whether a judge's answer equals the reference (CADS, equality).

Rules decide only clear cases; all others are left to a model, since a wrong "different" would make
a sound problem look hard, and a wrong "equal" would keep an unsound one.
"""

from __future__ import annotations

import re

from rolesynth_assets.answers.expressions import same_expression
from rolesynth_assets.answers.insufficient import is_insufficient
from rolesynth_assets.answers.options import named_option, options
from rolesynth_assets.answers.quantities import may_be_rounded, quantity, same_quantity
from rolesynth_assets.answers.ranges import range_readings, same_range
from rolesynth_assets.answers.spelling import plain, words
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.units import MAX_QUESTION

MAX_CHARS = 2_000
"""Most characters of an answer to which rules apply; longer answers are compared literally."""

_YES, _NO = frozenset({"yes", "true", "correct"}), frozenset({"no", "false", "incorrect"})
_FIRST_WORD = re.compile(r"([a-z]+)(?:[,.;:] ?(.*))?")
_CLOSED = frozenset(
    "red orange yellow green blue purple pink brown black white grey gray cyan magenta teal "
    "left right top bottom above below centre center middle upper lower north south east west "
    "small medium large big circle square triangle rectangle".split()
)
"""Words of which any two are different answers, apart from spelling variants."""
_SAME = {"gray": "grey", "center": "centre", "big": "large"}
_ROUNDING = re.compile(
    r"\bround|\bnearest\b|\bdecimal\w*|\bsig\.? ?(?:fig|dig)|\bcorrect to\b"
    r"|\bdigits? (?:after|past|of precision|to the right)|\barredond|\barrotond"
    r"|\bapr?oxim|\bafge?rond"
    r"|\bavrund|\bzaokr|\byuvarla|\bbulatkan|l\u00e0m tr\u00f2n|\bcifr[ae]s?\b|\bcasas\b"
    r"|\bchiffres\b"
    r"|\u0442\u043e\u0447\u043d\u043e\u0441\u0442"
    r"|\u043e\u043a\u0440\u0443\u0433\u043b"
    r"|\u043f\u043e\u0441\u043b\u0435 \u0437\u0430\u043f\u044f\u0442\u043e\u0439"
    r"|\bsignificant\b|\b[ds]\.?[pf]\.?\b|\bapprox|\bestimat"
    r"|\broughly\b|\babout\b|\b(?:ten|hundred|thousand)ths?\b|\bplaces?\b|\bprecision\b|\baccura"
    r"|\btruncat|\u2248|\barrondi|\bd\u00e9cimal|\brund|\bdezimal|\bnachkomma|\bredonde"
    r"|\u56db\u820d\u4e94\u5165|\u56db\u6368\u4e94\u5165|\u4fdd\u7559|\u5c0f\u6570|\u5c0f\u6578|\u7d04|\u7ea6"
    r"|\u6709\u6548\u6570\u5b57|\u6709\u52b9\u6570\u5b57|\ubc18\uc62c\ub9bc|\uc18c\uc218",
    re.IGNORECASE,
)
"""Words of a question by which its answer may be a rounded number."""
_ANOTHER = re.compile(r"[(\[]?[A-Ja-j](?:[)\].:,]+.*)?")
_LOOSE = re.compile(r"\(?(?P<letter>[A-Ja-j])\)?(?: ?[-=,:] ?| )(?P<text>.+)")
_ORDINARY = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def equal_by_rule(
    reference: str, prediction: str, task_type: TaskType, question: str
) -> bool | None:
    """Compare two answers to a question.

    Options are compared by letter, and an answer that gives an option's text counts as its letter.
    Numbers are compared as numbers, with a relative tolerance of 1e-6 unless both are exact; one
    that may be the other rounded is not settled if the question asks for rounding, or if it is an
    option. Ranges are compared by their ends; expressions by math-verify; yes, no and single words
    as text.

    Args:
        reference: the answer of the problem.
        prediction: the answer of a judge or a policy.
        task_type: the type of the problem.
        question: the question with its options; it may name the unit of the answer.

    Returns:
        None where rules cannot decide, as for free text. Never raises. The time is bounded as that
        of `same_expression`.
    """
    if not reference.strip() or not prediction.strip():
        return None
    if max(len(reference), len(prediction)) > MAX_CHARS:
        return True if reference.strip() == prediction.strip() else None
    one, other = plain(reference), plain(prediction)
    if not (one and other):
        return None  # nothing but marks
    if is_insufficient(other):
        return False
    if one == other:
        return True
    if task_type is TaskType.MCQ:
        return _same_option(one, other, question)
    return _same_answer(one, other, question, _ROUNDING.search(question[:MAX_QUESTION]) is not None)


def _same_option(one: str, other: str, question: str) -> bool | None:
    offered = options(question)
    first, second = (_letter(answer, offered, question) for answer in (one, other))
    if first and second:
        return first == second
    if words(one) == words(other):
        return True
    letter, text = (first, other) if first else (second, one)
    if letter is None or not offered:
        return None
    if re.fullmatch(r"\(?[A-Z]\)?", text):
        return False  # a letter that is not among the options
    # an answer that certainly equals none of the options is wrong for any letter
    verdicts = [_same_answer(plain(o), text, question, rounded=True) for o in offered.values()]
    return False if all(verdict is False for verdict in verdicts) else None


def _letter(answer: str, offered: dict[str, str], question: str) -> str | None:
    """Return the letter of the option that an answer gives as a letter or as its text."""
    named = named_option(answer)
    if named and (not offered or named[0] in offered):
        letter, text = named
        other = _option_with_text(text, offered, question) if text else None
        if other is None and _ANOTHER.fullmatch(text):
            return None  # "A. B" names two options
        return letter if other in (None, letter) else None  # "C. 5" where 5 is option A
    loose = _LOOSE.fullmatch(answer)
    if loose and _option_with_text(loose["text"], offered, question) == loose["letter"].upper():
        return loose["letter"].upper()
    return _option_with_text(answer, offered, question)


def _option_with_text(text: str, offered: dict[str, str], question: str) -> str | None:
    asked = plain(text)
    same = [
        letter
        for letter, option in offered.items()
        if words(plain(option)) == words(asked)
        or _same_answer(plain(option), asked, question, rounded=True) is True
    ]
    return same[0] if len(same) == 1 else None


def _same_answer(one: str, other: str, question: str, rounded: bool) -> bool | None:
    """Compare two open answers that were normalised by `plain`."""
    if one == other:
        return True
    decided = _same_truth(words(one), words(other))
    if decided is not None:
        return decided
    ranges = range_readings(one), range_readings(other)
    if any(ranges):
        return True if words(one) == words(other) else same_range(*ranges)
    numbers = quantity(one), quantity(other)
    if numbers[0] and numbers[1]:
        same = same_quantity(numbers[0], numbers[1], question)
        close = same is False and rounded and may_be_rounded(numbers[0], numbers[1])
        return None if close else same
    said = words(other if numbers[0] else one).split()
    if any(numbers) and said and _CLOSED.issuperset(said):
        return False
    if words(one) == words(other):
        # Co is not CO: in a short symbol the case may matter
        symbols = len(one) <= 3 and one.lower() != one and other.lower() != other
        return None if symbols else True
    decided = _same_words(one, other)
    if decided is not None:
        return decided
    same = same_expression(one, other)
    return None if rounded and same is False else same


def _same_truth(one: str, other: str) -> bool | None:
    first, second = _truth(one), _truth(other)
    return None if first is None or second is None else first == second


def _truth(answer: str) -> bool | None:
    """Read yes or no, alone or followed by a reason without another yes or no."""
    match = _FIRST_WORD.fullmatch(answer)
    if match is None or match[1] not in _YES | _NO:
        return None
    if (_YES | _NO).intersection(re.findall(r"[a-z]+", match[2] or "")):
        return None
    return match[1] in _YES


def _same_words(one: str, other: str) -> bool | None:
    """Compare words; None unless they are clearly equal or different ("circle", "circles")."""
    first, second = (
        [_SAME.get(word, word) for word in words(answer).split()] for answer in (one, other)
    )
    if _CLOSED.issuperset([*first, *second]) and first and second:
        if first == second:
            return True
        return None if set(first) <= set(second) or set(second) <= set(first) else False
    if len(first) != 1 or len(second) != 1:
        return None
    if not (_ORDINARY.fullmatch(one) and _ORDINARY.fullmatch(other)):
        return None
    return None if _alike(first[0], second[0]) else False


def _alike(one: str, other: str) -> bool:
    """Whether two words may be forms or misspellings of one: same stem, or one letter changed."""
    if len(one) == len(other) == 1:
        return False
    shorter, longer = sorted((one, other), key=len)
    stem = shorter[: max(3, len(shorter) - 2)]
    if longer.startswith(stem):
        return True
    if len(longer) - len(shorter) > 1 or len(shorter) < 4:
        return False
    return any(
        longer[:n] == shorter[:n] and longer[n + 1 :] in (shorter[n:], shorter[n + 1 :])
        for n in range(len(longer))
    )
