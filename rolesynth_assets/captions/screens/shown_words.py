"""Words that a caption reads off the picture: on a sign, a shirt, a screen.

A caption may quote a sign or a shirt, with quotation marks or without. Words in quotation marks,
and words that the sentence places in the picture, are part of the picture and not the writer's own.
"""

import re
from collections.abc import Iterator, Sequence

from rolesynth_assets.reply_text.sentences import own_words
from rolesynth_assets.reply_text.sought import Sought

_LETTERED = r"printed|written|painted|stamped|embroidered|engraved|scrawled|sprayed|carved|tattooed"
_READ_OUT = (
    r"reads?|reading|says?|saying|labell?ed|marked|titled|called|spells?|spelling|words?|lettering|"
    rf"letters|inscription|slogan|{_LETTERED}"
)
CARRIER = (
    r"(?:t-?shirt|shirt|tee|hoodie|sweater|jersey|mug|cup|cap|hat|bag|card|postcard|poster|sign|banner|"
    r"placard|billboard|sticker|badge|button|screen|display|monitor|phone|note|tattoo|plate|board|"
    r"blackboard|whiteboard|chalkboard|label|page|cover|book|wall|magnet|plaque|flag|meme|bubble)"
)
READ_OUT = re.compile(
    rf"\b(?:{_READ_OUT})\b|\b{CARRIER}s?\s+(?:(?:that|which)\s+)?(?:shows?|showing|displays?|displaying)\b|"
    r"\b(?:the|a) (?:text|message|phrase|note|motto)\b|"
    rf"\b{CARRIER}s?\s+(?:with|bearing|carrying|of|that has)\s*$",
    re.IGNORECASE,
)
"""Words after which a sentence reads something out."""

PLACED = re.compile(
    rf"\W{{0,9}}(?:\w{{1,40}}\W{{1,9}}){{0,3}}?(?:(?:{_LETTERED})\b|(?:is|are)\s+visible|appears?\b|"
    rf"on (?:an?|the|his|her|their|its) (?:\w{{1,40}} ){{0,2}}{CARRIER}\b|"
    r"in (?:\w{1,40} ){1,3}letters\b)",
    re.IGNORECASE,
)
"""Words that place what comes before them in the picture."""

IN_PICTURE = re.compile(
    r"\b(?:reads?|reading|says?|saying|labell?ed|marked|printed|written|painted|engraved|stamped|"
    r"embroidered|displays?|displaying|shows?|showing|bears?|bearing|spells?|spelling|carries|"
    r"features?|featuring|advertis(?:es?|ing)|words?|text|lettering|letters|inscription|address|"
    r"website|web|url|link|logo|watermark|slogan|sign|banner|label|sticker|title|caption)\b",
    re.IGNORECASE,
)
"""Words after which an address or an order is in the picture."""


_LOOK_BACK = 600
"""Characters of a sentence in which words before a match are looked for; longer ones repeat."""


def first_own(
    patterns: Sequence[Sought],
    text: str,
    before: re.Pattern[str],
    after: re.Pattern[str] | None = None,
) -> str | None:
    """Return the first match in the writer's own words, or None.

    Args:
        patterns: what is looked for.
        text: a caption on one line; words in quotation marks are left out.
        before: words after which the rest of a sentence is in the picture.
        after: words that place what comes directly before them in the picture.
    """
    own = own_words(text)
    for match in _matches(patterns, own):
        if after and after.match(own, match.end()):
            continue
        if not before.search(own[_sentence_start(own, match.start()) : match.start()]):
            return match.group(0).strip()
    return None


def _matches(patterns: Sequence[Sought], text: str) -> Iterator[re.Match[str]]:
    for pattern in patterns:
        yield from pattern.finditer(text)


def _sentence_start(text: str, at: int) -> int:
    earliest = max(0, at - _LOOK_BACK)
    ends = (text.rfind(mark, earliest, at) for mark in (". ", "! ", "? "))
    return max(earliest, max(ends) + 1)
