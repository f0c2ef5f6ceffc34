"""Rules for answers in JSON or in tags that name the answer."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Sequence

from rolesynth_assets.reply_text.rule import CannotCleanError, Rule

MAX_DEPTH = 20
MAX_VALUES = 10
"""JSON values after each other that are read; a reply that repeats itself has two or three."""
MAX_TAGS = 40
"""Tags of a reply that has one answer; it bounds the cost of the search for their ends."""
_TAGS = (
    r"(?:(?:final|long|short|image|img|detailed|brief)?[_-]?(?:answer|caption|description|response)|"
    r"output|result|final|solution|alt[_-]?text|long|short|text|content|message|json)"
)
_LOOSE = re.compile(
    r"^[{(]\s*[\"'](?P<key>[\w -]{1,40})[\"']\s*:\s*[\"'](?P<text>.{1,20000}?)[\"']?\s*[})]?\s*$",
    re.DOTALL,
)
_BARE_KEY = re.compile(
    r"^\{\s*(?P<key>[\w -]{1,40})\s*:\s*[\"']?(?P<text>.{1,20000}?)[\"']?\s*\}$", re.DOTALL
)
_FURTHER_KEY = re.compile(r"[\"']\s*,\s*[\"'][\w -]{1,40}[\"']\s*:")

Pick = Callable[[object], str | None]
"""Function that finds the answer in a JSON value; None if there is none."""


def leaves(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield (key, value) of all leaves of a JSON value; an item of a list has its list's key."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, str(name), depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, key, depth + 1)
    else:
        yield key, value


def json_rule(pick: Pick) -> Rule:
    """Return the rule that replaces a JSON value by the answer in it."""

    def apply(text: str) -> str:
        found = [picked for value in _parsed(text) if (picked := pick(value)) is not None]
        if len(set(found)) > 1:
            raise CannotCleanError("several JSON values with different answers")
        return found[0] if found else text

    return Rule("json", "JSON around the answer", apply, needs="{[")


def tag_rule(names: str, length: str = "") -> Rule:
    """Return the rule that takes the answer out of a tag such as `<answer>`.

    Args:
        names: regular expression of the tags' names.
        length: of tags for both lengths, such as `<long_caption>`, the one that was asked for.
    """
    pair = re.compile(rf"<(?P<tag>{names})(?:\s[^<>]*)?>(?P<inner>.*?)</(?P=tag)\s*>", re.I | re.S)
    half = re.compile(rf"^.*?<{names}(?:\s[^<>]*)?>|</{names}\s*>.*$", re.I | re.S)

    def apply(text: str) -> str:
        if text.count("<") > MAX_TAGS:
            return text
        found = [(match["tag"], match["inner"].strip()) for match in pair.finditer(text)]
        answers = one_length([(tag, inner) for tag, inner in found if inner], length)
        if len(answers) > 1:
            raise CannotCleanError(f"several answers in tags: {', '.join(t for t, _ in found)}")
        if answers:
            return answers[0]
        bare = half.sub("", text)
        return bare if bare.strip() else text

    return Rule(
        "answer_tag", "a tag that names the answer, and what is outside of it", apply, needs="<"
    )


def caption_tag_rule(length: str) -> Rule:
    """Return the rule for `<caption>`, `<answer>` and the like."""
    return tag_rule(_TAGS, length)


def one_length(named: Sequence[tuple[str, str]], length: str) -> list[str]:
    """Return the different texts, or only those of a length kind if both kinds are named."""
    kinds = {kind for kind in ("long", "short") for name, _ in named if kind in name.casefold()}
    if length and len(kinds) == 2:
        named = [(name, text) for name, text in named if length in name.casefold()]
    return list(dict.fromkeys(text for _, text in named))


def pick_caption(length: str) -> Pick:
    """Return the function that finds a caption in a JSON value."""

    def pick(value: object) -> str | None:
        texts = [
            (key, leaf) for key, leaf in leaves(value) if isinstance(leaf, str) and leaf.strip()
        ]
        for part in ("caption", "description", "answer", "text", "response", "output", "content"):
            named = [(key, text) for key, text in texts if part in key.casefold()]
            if answers := one_length(named, length):
                return _only(answers)
        kinds = [(key, text) for key, text in texts if key.casefold() in ("long", "short")]
        if answers := one_length(kinds, length):
            return _only(answers)
        sentences = [text for _, text in texts if len(text.split()) >= 4]
        return _only(list(dict.fromkeys(sentences))) if sentences else None

    return pick


def _only(answers: Sequence[str]) -> str:
    if len(answers) > 1:
        raise CannotCleanError(f"{len(answers)} texts in one JSON value")
    return answers[0]


def _parsed(text: str) -> list[object]:
    """Return the JSON value at the start of a text, and those that directly follow it."""
    text = text.removeprefix("json").lstrip()  # of a fence whose marks are lost
    values: list[object] = []
    at = 0
    while text[at : at + 1] in ("{", "[") and len(values) < MAX_VALUES:
        try:
            value, at = json.JSONDecoder(strict=False).raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        values.append(value)
        at += len(text[at:]) - len(text[at:].lstrip(" \t\n,;"))
    if values or text[:1] not in ("{", "["):
        return values
    try:
        return [ast.literal_eval(text)]
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    # quotation marks in it are not escaped, its end is missing, or its key is bare
    loose = _LOOSE.match(text) or _BARE_KEY.match(text)
    if loose and not _FURTHER_KEY.search(text):
        return [{loose["key"]: loose["text"]}]
    return []
