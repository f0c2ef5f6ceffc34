"""Patterns that are searched only in texts that have a word of theirs.

Hardly any caption gives orders, refuses or offers to go on, and each is searched with some hundred
patterns. The literal words are found in a pattern itself: where it matches, the text has one of
them. To look for a word costs a hundredth of a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _casefix as casefix  # pyright: ignore[reportAttributeAccessIssue]
from re import _constants as kinds  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

_ZERO_WIDTH = (kinds.AT, kinds.ASSERT, kinds.ASSERT_NOT)
_REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)
_ODD_CASES = re.compile(
    "[\u0130\u03a3\u212a\u212b"
    + "".join(map(re.escape, (chr(code) for code in casefix._EXTRA_CASES if code > 127)))
    + "]"
)
"""Letters that a pattern takes for others than those that `str.lower` makes of them."""


class Sought:
    """A pattern that ignores case, and the words of which any match has one."""

    __slots__ = ("needles", "pattern")

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        """Find the words of a pattern; there may be none."""
        self.pattern = re.compile(pattern, re.IGNORECASE) if isinstance(pattern, str) else pattern
        self.needles = _needles(parser.parse(self.pattern.pattern, self.pattern.flags)) or ()

    def may_match(self, text: str) -> bool:
        """Return False only if the pattern matches nowhere in a text."""
        if not self.needles or not (text.isascii() or not _ODD_CASES.search(text)):
            return True
        lowered = text.lower()
        for needle in self.needles:  # twice as fast as any() of a generator
            if needle in lowered:
                return True
        return False

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match in a text, or None."""
        return self.pattern.search(text) if self.may_match(text) else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Return the matches in a text."""
        return self.pattern.finditer(text) if self.may_match(text) else iter(())


def _needles(parts: Iterable[tuple[Any, Any]]) -> tuple[str, ...] | None:
    """Return words in lower case of which each match of a sequence has one; None if there are none.

    Of several sets of words the one is best whose shortest word is longest.
    """
    found: list[tuple[str, ...]] = []
    run = ""
    for kind, what in parts:
        if kind is kinds.LITERAL:
            run += chr(what).lower()
            continue
        if kind in _ZERO_WIDTH:
            continue
        if run:
            found.append((run,))
        run = ""
        if words := _words_of(kind, what):
            found.append(words)
    if run:
        found.append((run,))
    return max(found, key=lambda words: (min(map(len, words)), -len(words)), default=None)


def _words_of(kind: Any, what: Any) -> tuple[str, ...] | None:
    if kind is kinds.SUBPATTERN:
        return _needles(what[-1])
    if kind is kinds.ATOMIC_GROUP:
        return _needles(what)
    if kind in _REPEATS and what[0] > 0:
        return _needles(what[2])
    if kind is kinds.BRANCH:
        branches = [_needles(branch) for branch in what[1]]
        if all(branches):
            return tuple(dict.fromkeys(word for words in branches for word in words or ()))
    return None
