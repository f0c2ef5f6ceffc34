"""The words of a search, marked in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rolesynth_assets.store.text_index import STOP_WORDS

_WORD = re.compile(r"\w+")
_ENDINGS = ("ing", "es", "ed", "s")


def marked(text: str, query: str) -> Iterator[tuple[str, bool]]:
    """Split a text into parts, each with whether it is a word that was searched for.

    Words count as equal without their ending, as they do for the index. The caller escapes the
    parts.
    """
    asked = (word for word in _WORD.findall(query) if word.casefold() not in STOP_WORDS)
    wanted = {_stem(word) for word in asked}
    end = 0
    for found in _WORD.finditer(text) if wanted else ():
        if _stem(found[0]) in wanted:
            if found.start() > end:
                yield text[end : found.start()], False
            yield found[0], True
            end = found.end()
    if end < len(text):
        yield text[end:], False


def _stem(word: str) -> str:
    folded = word.casefold()
    ending = next((e for e in _ENDINGS if folded.endswith(e) and len(folded) > len(e) + 2), "")
    return folded.removesuffix(ending)
