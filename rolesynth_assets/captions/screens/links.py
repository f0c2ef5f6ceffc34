"""Detection of links, addresses and Markdown in captions.

A caption may quote a sign or a shirt. Words in quotation marks, and words that follow "reads" or
"says" in a sentence, therefore count as part of the picture, even if they are an address. Markup
that a page would load is rejected everywhere: no photograph shows Markdown.
"""

import re

from rolesynth_assets.captions.screens.shown_words import IN_PICTURE, first_own

_LOADED = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"!?\[[^\[\]\n]{0,200}\](?:\([^()\s]{1,200}|\[[^\[\]\n]{0,200}\])",  # Markdown
        r"^\s{0,3}\[[^\[\]\n]{1,200}\]:\s*\S+",  # Markdown's list of references
        r"\b(?:data:[a-z]+/[\w.+-]+|javascript:|vbscript:)",
        r"<(?:https?:|mailto:|//)[^<>\s]{0,200}>",
    )
]
_ADDRESS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:https?|ftps?|file|mailto|wss?):/{0,2}[\w\[]\S{2,}",
        r"(?<![\w./@])www\.[\w-]+\.[a-z]{2,}\S*",
        r"(?<![\w:])//[\w-]+(?:\.[\w-]+)+/\S*",
    )
]

_SHOWN_AFTER = re.compile(
    r"\W*(?:\w+\W+){0,2}?(?:printed|written|painted|stamped|embroidered|engraved|visible|appears?|"
    r"runs|in (?:\w+ ){1,3}letters)\b",
    re.IGNORECASE,
)


def find_link(text: str) -> str | None:
    """Return the first link, address or picture that a page would load, or None."""
    for pattern in _LOADED:
        if match := pattern.search(text):
            return match.group(0).strip()
    return first_own(_ADDRESS, text, IN_PICTURE, _SHOWN_AFTER)
