"""Sentences, words and quotations of a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)\]*_]*+(?=\s|$)|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d)]*|\n"
)
_WORDLESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts that put no space between words; Korean does."""

_QUOTED = re.compile(
    r"\"[^\"\n]{0,300}\"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){0,300}'(?!\w)|"
    r"[\u300c\u300e][^\u300c-\u300f\n]{0,300}[\u300d\u300f]"
)
_STRAIGHT = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'),
    }
)


def without_spaces(char: str) -> bool:
    """Return whether a character is of a script that puts no space between words."""
    code = ord(char)
    return code >= 0x0E00 and any(first <= code <= last for first, last in _WORDLESS)


def count_words(text: str) -> int:
    """Count words; in a script without spaces, each letter counts as one.

    >>> count_words("A red apple."), count_words("一个红苹果。"), count_words("两台 iPhone 手机")
    (3, 5, 5)
    """
    if text.isascii():
        return len(text.split())
    count = 0
    for word in text.split():
        letters = sum(without_spaces(c) and unicodedata.category(c)[0] == "L" for c in word)
        others = any(c.isalnum() and not without_spaces(c) for c in word)
        count += letters + others if letters else 1
    return count


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, stripped, in order; a line break ends a sentence too."""
    found, start = [], 0
    for match in _END.finditer(text):
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def straighten(text: str) -> str:
    """Return the text with straight quotation marks, so that patterns need only one kind."""
    return text.translate(_STRAIGHT)


@lru_cache(maxsize=16)  # each screen of a caption reads the same text
def own_words(text: str) -> str:
    """Return a text on one line without the words in quotation marks."""
    return _QUOTED.sub('""', straighten(text))


def outside_quotations(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches of a pattern that begin where no quotation is open."""
    straight, at, marks = straighten(text), 0, 0
    for match in pattern.finditer(text):
        marks += straight.count('"', at, match.start())
        at = match.start()
        if marks % 2 == 0:
            yield match
