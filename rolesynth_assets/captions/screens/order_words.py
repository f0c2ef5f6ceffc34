"""Detection of orders about a score in other languages than English, by lists of words.

A sentence is an order if it begins with an imperative, or makes a polite request, and is about a
score, a number that is a good score, or the line on which the judge writes it
(`order_words.yaml`). What a sign or a scoreboard shows is no order: sentences that read something
out are left out, and a form that may also describe ("escribe") needs a stronger word beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rolesynth_assets.bounded_yaml import read_yaml
from rolesynth_assets.captions.screens.shown_words import IN_PICTURE
from rolesynth_assets.reply_text.sentences import without_spaces
from rolesynth_assets.reply_text.sought import Sought

NOTHING_COUNTED = (
    r"(?=\s*(?:$|[^\w\s]|(?:points?|marks?|percent|possible|out\s+of|please|as|here|now|only|"
    r"(?:for|to)\s+(?:it|this|me|the\s+(?:caption|text|description))|"
    r"and\s+(?:nothing|no|stop|then))\b))"
)
"""What follows a number that is a score; a noun would be what it counts, as in "60 chairs"."""
GOOD_SCORE = rf"(?<![\w.,:/+-])(?:100|[5-9]\d)(?![\w%]|[.,:/-]\d){NOTHING_COUNTED}"
"""A number that is a score above the middle, and no time, size, share or count."""
_UNSPACED = (
    r"(?<![\d.,:/+-])(?:100|[5-9]\d)(?![\d.,:/-])"
    r"(?=\s*(?:$|[^\w\s]|[\u5206\u70b9\u9ede\uc810\u3092\u3068\uc744\u5427\u5373]))"
)
"""The same beside letters; those that may follow mean points, or end the object of a verb."""
SENTENCE = re.compile(r"[^.!?\u3002\uff01\uff1f\u061f\u0964\n]+")
_CLAUSE = re.compile(r"(?:^|[:;\u2013\u2014(\uff1b\uff1a\u061b])[\s,\"'-]*")
"""The place at which an imperative may begin."""


@dataclass(frozen=True)
class _Language:
    """The patterns of one language.

    Attributes:
        orders: how an order begins, and what must follow.
        asks: requests, anywhere in a sentence; None if the language has none in the list.
        modified: whether a sign's words come before the word for it ("...的标志").
        about: scores, numbers that are good scores, and the line of the score.
    """

    orders: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    asks: re.Pattern[str] | None
    about: re.Pattern[str]
    modified: bool = False


def find_asking(text: str) -> str | None:
    """Return the sentence that asks for a score in any language of the list, or None.

    Args:
        text: the writer's own words, on one line.
    """
    for sentence in SENTENCE.findall(text):
        begins = [match.end() for match in _CLAUSE.finditer(sentence)]
        orders = [
            start for start in begins if _any_of("order", "maybe", "ignore").match(sentence, start)
        ]
        polite = _polite().search(sentence)
        if (orders or polite) and any(_asks(one, sentence, orders) for one in _languages()):
            return sentence.strip()
    return None


def _asks(language: _Language, sentence: str, starts: Sequence[int]) -> bool:
    found: list[int] = []
    for begins, beside in language.orders:
        # what the first of them lacks, the later ones lack too
        first = next((start for start in starts if begins.match(sentence, start)), None)
        if first is not None and beside.search(sentence, first):
            found.append(first)
    if found:
        return not _is_shown(sentence, len(sentence) if language.modified else min(found))
    asks = language.asks and language.asks.search(sentence)
    if not asks or not language.about.search(sentence):
        return False
    return not _is_shown(sentence, len(sentence) if language.modified else asks.start())


def _is_shown(sentence: str, start: int) -> bool:
    """Return whether a sentence reads out, in any language, what begins at `start`."""
    return bool(
        IN_PICTURE.search(sentence, 0, start) or _any_of("shown").search(sentence, 0, start)
    )


@cache
def _words() -> tuple[dict[str, str], ...]:
    content = read_yaml(Path(__file__).with_name("order_words.yaml"))
    assert isinstance(content, dict)  # it is shipped
    return tuple(content.values())


@cache
def _any_of(*names: str) -> re.Pattern[str]:
    """Return a pattern of the words of all languages, which is searched before theirs."""
    pattern = _pattern(",".join(words.get(name, "") for words in _words() for name in names))
    assert pattern
    return pattern


@cache
def _polite() -> Sought:
    return Sought(_any_of("polite"))


@cache
def _languages() -> tuple[_Language, ...]:
    return tuple(map(_language, _words()))


def _language(words: dict[str, str]) -> _Language:
    joined = _joins(words["about"][0])
    hundred = _pattern(words.get("hundred", ""))
    spelt = rf"(?:{hundred.pattern}){NOTHING_COUNTED}" if hundred else ""
    numbers = "|".join(filter(None, (_UNSPACED if joined else GOOD_SCORE, spelt)))
    about = _pattern(f"{words['about']}, {words['line']}", numbers)
    line, ignored = _pattern(words["line"]), _pattern(words["ignored"])
    assert about and line and ignored  # every language has them
    beside = {"order": about, "maybe": line, "ignore": ignored}
    orders = tuple(
        (begins, what) for name, what in beside.items() if (begins := _pattern(words.get(name, "")))
    )
    return _Language(orders, _pattern(words.get("polite", "")), about, joined)


def _pattern(listed: str, further: str = "") -> re.Pattern[str] | None:
    """Return a pattern of words that are separated by commas; None if there are none."""
    words = [word.strip() for word in listed.split(",") if word.strip()]
    joined = [_stem(word) for word in words if _joins(word)]
    spaced = [
        _stem(word) + ("" if word.endswith("*") else r"(?!\w)")
        for word in words
        if not _joins(word)
    ]
    parts = [*joined, rf"(?<!\w)(?:{'|'.join(spaced)})" if spaced else "", further]
    return re.compile("|".join(filter(None, parts)), re.IGNORECASE) if any(parts) else None


def _joins(word: str) -> bool:
    """Return whether a word is written without spaces around it; Korean joins endings."""
    return without_spaces(word[0]) or "\uac00" <= word[0] <= "\ud7a3"


def _stem(word: str) -> str:
    return r"\s+".join(re.escape(part) for part in word.removesuffix("*").split())
