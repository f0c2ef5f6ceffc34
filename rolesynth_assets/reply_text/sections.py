"""The rule for replies with several captions: both lengths, options, alternatives."""

from __future__ import annotations

import re

from rolesynth_assets.reply_text.opening import ASIDE, BOLD, NOUN
from rolesynth_assets.reply_text.rule import CannotCleanError, Rule
from rolesynth_assets.reply_text.sentences import outside_quotations

_NUMBER = r"(?:#?\d{1,2}|[a-e]|one|two|three|four|five|i{1,3}|iv|v)\b"
_STYLE = (
    r"(?:formal|informal|casual|detailed|concise|simple|poetic|descriptive|creative|playful|neutral|"
    r"literal|elaborate|minimal(?:ist)?|professional|factual|first|second|third)"
    r"(?:\s(?:style|tone|version|option))?"
)
"""What a model calls its alternatives, if it gives several."""
_QUOTED_TWICE = re.compile(
    r"^([\"\u201c])[^\"\u201c\u201d\n]{20,}[\"\u201d]\n+[\"\u201c][^\"\u201c\u201d\n]{20,}[\"\u201d]$"
)
_LINE = re.compile(
    rf"^[ \t(]*(?:#+\s*)?(?:[-*\u2022]\s+)?(?:\d{{1,2}}[.)]\s*)?{BOLD}"
    rf"(?:(?P<kind>long|short)(?:[\s-](?:version|form))?(?:[\s-]+{NOUN})?|"
    rf"(?:option|version|caption|description|alternative|variant|choice)s?\s*{_NUMBER}|"
    r"another (?:option|caption|version|description)|"
    r"(?:first|second|third|fourth) (?:option|caption|version|description|alternative|variant)|"
    rf"{_STYLE}(?=[*_]*\s?[:\uff1a])|alternative(?:ly)?(?:\s+{NOUN})?)"
    rf"{ASIDE}{BOLD}(?:\s*(?:[:\uff1a,]|[ \t]*$)|[ ][-\u2013\u2014](?=[ ])|(?<=\*\*)(?=[ ])){BOLD}",
    re.IGNORECASE | re.MULTILINE,
)
_INLINE = re.compile(
    r"(?:^|(?<=[.!?\"\u201d*]\s))(?:\*\*|__)?"
    r"(?:(?P<kind>long|short)(?: caption| description| version)|"
    r"(?:first|second|third) (?:option|version|caption|alternative)|"
    rf"(?:option|version|caption|alternative)\s*{_NUMBER}|alternative(?:ly)?(?: {NOUN})?)"
    rf"{ASIDE}(?:\*\*|__)?(?:\s*:|[ ][-\u2013\u2014](?=[ ])|(?<=\*\*)(?=[ ]))",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\n[ \t]*(?:\*\*|__|\*)?(?:or|alternatively|another (?:option|caption|version|description)|"
    rf"alternative(?:\s+{NOUN})?)(?:\*\*|__|\*)?[ \t]*(?:[:\uff1a,]|\n)|"
    r"(?<=[.!?\"\u201d])\s+(?:or,? )?alternatively\s?[:,]",
    re.IGNORECASE,
)


def sections_rule(length: str) -> Rule:
    """Return the rule that picks the caption of one length where both have a label.

    Several texts without such labels are no caption: nothing says which one is meant.

    Args:
        length: the length kind that was asked for, "long" or "short".
    """

    def apply(text: str) -> str:
        if _OTHERWISE.search(text) or _QUOTED_TWICE.match(text):
            raise CannotCleanError("an alternative after the caption")
        found = list(_LINE.finditer(text))
        if len(found) < 2:
            inline = list(outside_quotations(_INLINE, text))
            found = inline if len(inline) > 1 else found
        if len(found) == 1 and found[0]["kind"] and found[0].start():
            named = found[0]["kind"].casefold() == length
            inner = text[found[0].end() :].removesuffix(")" if "(" in found[0][0] else "")
            return inner if named else text[: found[0].start()]
        if len(found) < 2:
            return text
        ends = [match.start() for match in found[1:]] + [len(text)]
        parts = [
            ((match["kind"] or "").casefold(), text[match.end() : end].strip())
            for match, end in zip(found, ends, strict=True)
        ]
        wanted = [part for kind, part in parts if kind == length and part]
        if sorted(kind for kind, _ in parts) == ["long", "short"] and wanted:
            return wanted[0]
        raise CannotCleanError(f"{len(parts)} captions in one reply")

    return Rule(
        "sections", "the caption of the other length", apply, needs=":\uff1a\n*,-\u2013\u2014"
    )
