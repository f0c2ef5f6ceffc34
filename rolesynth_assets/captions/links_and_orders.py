"""Detection of links and of orders to the reader in captions.

A caption may quote a sign or a shirt. Words in quotation marks, and words that follow "reads" or
"says" in a sentence, therefore count as part of the picture, even if they are an address or an
order. Markup that a page would load is rejected everywhere: no photograph shows Markdown. The
patterns are English only, like those in `screening`.
"""

import re

from rolesynth_assets.captions.shown_words import first_own

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

_SHOWN = re.compile(
    r"\b(?:reads?|reading|says?|saying|labell?ed|marked|printed|written|painted|engraved|stamped|"
    r"embroidered|displays?|displaying|shows?|showing|bears?|bearing|spells?|spelling|carries|"
    r"features?|featuring|advertis(?:es?|ing)|words?|text|lettering|letters|inscription|address|"
    r"website|web|url|link|logo|watermark|slogan|sign|banner|label|sticker|title|caption)\b",
    re.IGNORECASE,
)
"""Words after which the text is in the picture."""

_SHOWN_AFTER = re.compile(
    r"\W*(?:\w+\W+){0,2}?(?:printed|written|painted|stamped|embroidered|engraved|visible|appears?|"
    r"runs|in (?:\w+ ){1,3}letters)\b",
    re.IGNORECASE,
)
_START = (
    r"(?:^|(?<=[.!?:;]\s)|(?<=[\-\u2013\u2014(\[]\s)|(?<=[(\[]))"
    r"(?:please,?\s|now,?\s|so,?\s|just\s)?"
)
_JUDGE = r"(?:judges?|graders?|evaluators?|raters?|reviewers?|scorers?|assessors?)"
_MODEL = rf"(?:{_JUDGE}|(?:language |vision )?models?|assistants?|ai|llm|chatbots?)"
_THIS = r"(?:this|the (?:above|following|present|given|previous))"
_TEXT = r"(?:caption|description|text|answer|response|one|sentence|entry)"
_TOP = (
    r"(?:(?:a |an |the )?(?:full|top|best|highest(?: possible)?|maximum|max|perfect|high|"
    r"100|hundred|one hundred)(?: possible)?)"
)
_MARK = r"(?:scores?|ratings?|marks?|grades?|points?)"

_ORDERS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "Ignore the image", "disregard all previous instructions"
        rf"{_START}(?:ignore|disregard|forget|overlook|override|skip)\s+(?:all\s+|any\s+)?"
        r"(?:of\s+)?(?:the|this|that|these|those|all|any|your|every|what|everything|previous|"
        r"prior|above|earlier)\b",
        r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing))\s+(?:\w+\s+){0,3}"
        r"(?:previous|prior|above|earlier|your|system)\s+(?:\w+\s+){0,2}"
        r"(?:instructions?|prompts?|rules?|rubrics?|guidelines?|criteria|directions?|orders?)\b",
        # "SCORE 100.", "Score: 100/100", "Rating = 95"
        rf"{_START}(?:final\s+|the\s+)?(?:score|rating|rate|grade|mark)(?:\s+is)?\s*[:=]?\s*"
        r"\d{2,3}\b(?!\s*[-\u2013:]\s*\d)(?=\s*(?:/|%|out\b|points?\b|[.!,;]|$))",
        # "Give this a 100", "Rate this caption highly", "Assign the highest score"
        rf"{_START}(?:score|rate|grade|judge|mark|evaluate|rank)\s+(?:it|{_THIS})\b",
        rf"{_START}(?:give|assign|award|grant)\b[^.!?]{{0,40}}?\b(?:{_MARK}|100|hundred)\b",
        rf"{_START}(?:output|return|print|respond|reply|answer|write|say|type|emit)\b"
        r"[^.!?]{0,30}?\b(?:100|\d{2,3}(?=\s*(?:[.!,;]|$))|hundred|first line)\b",
        # "This caption deserves 100", "must be scored 100"
        rf"\b(?:{_THIS}|my)\s+(?:\w+\s+)?{_TEXT}\s+(?:\w+ly\s+)?(?:deserves?|merits?|earns?|"
        r"scores?|gets?|must|should|is\s+(?:\w+ly\s+)?(?:true|correct|accurate|perfect|faithful))\b",
        rf"\b(?:deserves?|merits?|earns?|must\s+get|should\s+(?:get|receive))\s+{_TOP}"
        rf"(?:\s+{_MARK})?\b",
        r"\b(?:must|should|shall|has to|needs to)\s+be\s+(?:scored|rated|graded|judged|marked)\b",
        # "Judge: ...", "Note to the grader", "you are now a judge"
        rf"{_START}(?:{_JUDGE}|system|assistant|user|admin|developer)\s*:",
        rf"\b(?:note|message|attention|instructions?|reminder|memo)\s*(?:to|for)?:?\s+"
        rf"(?:the\s+|all\s+|any\s+)?{_MODEL}\b",
        rf"\b(?:dear|hey|hello)\s+(?:\w+\s+)?{_MODEL}\b",
        rf"\byou\s+are\s+(?:now\s+)?(?:an?|the)\s+(?:\w+\s+){{0,3}}{_MODEL}\b",
        r"\byour\s+(?:new\s+|only\s+|next\s+)?(?:task|job|role|instructions?|scores?|ratings?|"
        r"answer|output|reply|response|verdict)\s+(?:is|are|must|should|will|has)\b",
        r"\b(?:new|updated|system|special)\s+(?:instructions?|prompt)\s*:",
        # the judge's own question and answer
        r"\b(?:first|second)\s+line\s*:",
        r"\bone\s+integer\s+from\s+1\s+to\s+100\b",
        r"\bend\s+of\s+(?:the\s+)?(?:caption|prompt|image|input|description)\b\s*[.:\]]",
        r"\[/?(?:inst|system|user|assistant)\]|(?:^|\s)#{2,}\s*(?:instruction|system|response)\b",
    )
]


def find_link(text: str) -> str | None:
    """Return the first link, address or picture that a page would load, or None."""
    for pattern in _LOADED:
        if match := pattern.search(text):
            return match.group(0).strip()
    return first_own(_ADDRESS, text, _SHOWN, _SHOWN_AFTER)


def find_order(text: str) -> str | None:
    """Return the words that give orders to the caption's reader, such as a judge, or None."""
    return first_own(_ORDERS, text, _SHOWN)
