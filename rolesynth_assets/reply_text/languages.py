"""Whether a text is in the language that was asked for, by its script and its function words.

A text in another script than its language's is in another language. Among languages of one script,
function words decide: each language has about twenty that hardly any sentence does without
(`function_words.yaml`). A text is in another language only if such words say so; names, dishes and
places do not.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from rolesynth_assets.bounded_yaml import read_yaml
from rolesynth_assets.reply_text.sentences import count_words, own_words, sentences

_SCRIPTS = {
    "LATIN": "af az bs ca cs cy da de en es et eu fi fr ga gl hr hu id is it lt lv ms mt nl no pl "
    "pt ro sk sl sq sv sw tl tr uz vi",
    "CYRILLIC": "be bg kk ky mk mn ru sr tg uk",
    "ARABIC": "ar fa ku ps ug ur",
    "DEVANAGARI": "hi mr ne",
    "CJK": "ja zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "KHMER": "km",
    "LAO": "lo",
    "MYANMAR": "my",
    "ETHIOPIC": "am",
}
LANGUAGES: dict[str, frozenset[str]] = {
    code: frozenset(script for script, codes in _SCRIPTS.items() if code in codes.split())
    for code in sorted({code for codes in _SCRIPTS.values() for code in codes.split()})
}
"""ISO 639-1 codes of the languages that a role set may name, each with the scripts it uses."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")

MAX_OTHER_SCRIPT = 0.3
"""Share of letters in another script, from which a text is in another language; a sign may be."""


def find_other_language(text: str, language: str) -> str | None:
    """Return why a text is not in a language, or None.

    Words in quotation marks do not count: a picture may show any language.

    Args:
        text: a caption on one line.
        language: its language, a key of `LANGUAGES`.
    """
    own = own_words(text)
    if script := _other_script(own, language):
        return script
    if language not in _function_words():
        return None
    parts = sentences(own)
    for part in (own, *(parts if len(parts) > 1 else ())):
        if count_words(part) >= 4 and (other := _other_words(part, language)):
            return f"words of {other!r} instead of {language!r}"
    return None


def _other_script(text: str, language: str) -> str | None:
    if text.isascii() and "LATIN" in LANGUAGES[language]:
        return None
    counts: dict[str, int] = {}
    for char in text:
        if char.isalpha():
            script = _script(char)
            counts[script] = counts.get(script, 0) + 1
    letters = sum(counts.values())
    foreign = {script: n for script, n in counts.items() if script not in LANGUAGES[language]}
    if letters and sum(foreign.values()) > MAX_OTHER_SCRIPT * letters:
        return f"{max(foreign, key=lambda s: foreign[s]).title()} script, not {language!r}"
    kana = counts.get("HIRAGANA", 0) + counts.get("KATAKANA", 0)
    if language == "ja" and letters >= 10 and not kana:
        return "no kana, not 'ja'"
    return None


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    name = unicodedata.name(char, "UNKNOWN")
    first = name.partition(" ")[0].partition("-")[0]
    return {"IDEOGRAPHIC": "CJK", "FULLWIDTH": "LATIN", "HALFWIDTH": "KATAKANA"}.get(first, first)


@cache
def _function_words() -> dict[str, frozenset[str]]:
    path = Path(__file__).with_name("function_words.yaml")
    content = read_yaml(path)
    assert isinstance(content, dict)  # it is shipped
    return {code: frozenset(words.split()) for code, words in content.items()}


@cache
def _elsewhere(language: str) -> dict[str, tuple[str, ...]]:
    """Return the function words that a language lacks, each with the languages that have it."""
    words = _function_words()
    found: dict[str, tuple[str, ...]] = {}
    for other, others in words.items():
        for word in others - words[language] if other != language else ():
            found[word] = (*found.get(word, ()), other)
    return found


def _other_words(text: str, language: str) -> str | None:
    words = [word.casefold().replace("\u2019", "'") for word in _WORD.findall(text)]
    found: dict[str, list[str]] = {}
    elsewhere = _elsewhere(language)
    for word in words:
        for other in elsewhere.get(word, ()):
            found.setdefault(other, []).append(word)
    best: tuple[int, str] | None = None
    for other, theirs in found.items():
        if len(set(theirs)) < 2:
            continue
        mine = _function_words()[language] - _function_words()[other]
        if len(theirs) > 2 * sum(word in mine for word in words):
            best = max(best or (0, ""), (len(theirs), other))
    return best[1] if best else None
