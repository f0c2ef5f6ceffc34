"""Removal of labels, quotes, code fences and stray white space around a caption."""

import re
import unicodedata

MAX_REPLY_CHARS = 20_000
"""Longer than any caption within bounds; it bounds the cost of the patterns."""

_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```[\w-]*[ \t]*\n?(.*?)\n?```$", re.DOTALL)
_OPENING = re.compile(
    r"^(?:(?:sure|certainly|of course|okay|ok|absolutely)[!,.]?\s+)?"
    r"(?:here(?:'s| is| are)|below is)\s[^:.\n]{0,80}?(?:caption|description)s?[^:.\n]{0,60}:\s+",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^(?:#+\s*)?(?:\*\*|__)?(?:(?:the|my|a|long|short|brief|detailed|image|final)\s+){0,3}"
    r"(?:caption|description)(?:\s*\((?:long|short)\))?(?:\*\*|__)?\s*[:\uff1a]\s*(?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_EMPHASIS = ("**", "__", "*", "_")
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs"}  # Unicode: control, format, private, unassigned


def clean(text: str, role: str = "") -> str:
    """Return the bare caption on one line, with single spaces.

    A thinking block, a code fence, an opening such as "Sure! Here is a caption:", a label
    ("Caption:", or the role's name and a colon), and quotes or emphasis around the whole text are
    removed, also when they are nested. Quotes within a caption stay.

    Args:
        text: the text of the model; only the first `MAX_REPLY_CHARS` characters are read.
        role: the role's name, which is removed where it is used as a label.
    """
    text = _visible(text[:MAX_REPLY_CHARS])
    text = _THOUGHT.sub("", text).strip()
    while (bare := _unwrap(text, role)) != text and bare:
        text = bare
    return " ".join(text.split())


def straighten(text: str) -> str:
    """Return the text with straight quotes, so that patterns need only one kind."""
    return text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})


def _visible(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE
    )


def _unwrap(text: str, role: str) -> str:
    if fenced := _FENCE.match(text):
        return fenced.group(1).strip()
    text = _OPENING.sub("", text, count=1)
    text = _LABEL.sub("", text, count=1)
    if role:
        label = re.compile(
            rf"^(?:\*\*|__)?(?:the )?{re.escape(role)}(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*", re.I
        )
        text = label.sub("", text, count=1)
    for mark in _EMPHASIS:
        inner = text[len(mark) : -len(mark)]
        if len(text) > 2 * len(mark) and text == f"{mark}{inner}{mark}" and mark not in inner:
            return inner.strip()
    close = _QUOTES.get(text[:1])
    if close and len(text) > 1 and text.endswith(close) and _is_one_quotation(text, close):
        return text[1:-1].strip()
    return text.strip()


def _is_one_quotation(text: str, close: str) -> bool:
    """Return whether the first and the last quotation mark belong together.

    `"Stop" and "Go"` is two quotations; an apostrophe inside single quotes does not close them.
    """
    inner = text[1:-1]
    if close in "'\u2019":
        return not re.search(rf"{close}(?!\w)|(?<!\w)[{text[0]}]", inner)
    return text[0] not in inner and close not in inner
