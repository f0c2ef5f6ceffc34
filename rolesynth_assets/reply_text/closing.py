"""Rules for what a model says after its caption: notes, counts, offers, hashtags, repetitions."""

from __future__ import annotations

import re
from collections.abc import Callable

from rolesynth_assets.reply_text.opening import TEXT
from rolesynth_assets.reply_text.rule import Rule
from rolesynth_assets.reply_text.sentences import outside_quotations, sentences
from rolesynth_assets.reply_text.sought import Sought

_BEFORE = (
    r"(?:(?<=[.!?\"'\u201d)*_\]\u3002])\s+|\n+\s*)"
    r"(?:[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f]{1,4}\s*)?[(\[*_]{0,4}(?:#+\s)?"
)
"""The end of a sentence or a line, where a tail begins."""

_NOTE = re.compile(
    rf"{_BEFORE}p\.\s?s\.[:,]?\s.*$|"
    rf"{_BEFORE}(?:(?:please )?note|n\.?b\.?|p\.?s\.?|disclaimer|\u6ce8|explanation|rationale|"
    r"reasoning|keywords|tags|hashtags|confidence)\b[*_]{0,2}[ \t]*(?:[:\uff1a]|\n|that\b).*$|"
    r"\n+\s*[(\[*_#\s]{0,6}(?:why (?:this|it) works|(?:key|notable|main) "
    r"(?:details?|elements?|features?|points?|observations?)|breakdown|sources?|"
    r"(?:image |photo )?credits?|attribution|references?|translation)[*_]{0,2}[ \t]*[:\uff1a].*$",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER_OF_WORDS = (
    r"(?:about |around |approximately |approx\.? |exactly |~\s*)?\d{1,4}\s*"
    r"(?:words?|characters?|tokens?|\u5b57)"
)
_COUNT = r"(?:(?:total )?(?:word|character)s?(?: count)?|total|length)\s*[:=][*_]{0,2}\s*"
_WORD_COUNT = re.compile(
    rf"\s*[*_]{{0,2}}(?:[(\[{{\uff08]\s*(?:(?:{_COUNT})?{_NUMBER_OF_WORDS}|{_COUNT}\d{{1,4}})\s*"
    rf"[)\]}}\uff09]|(?:\n|(?<=[.!?])\s)[-\u2013\u2014*_ ]*"
    rf"(?:{_COUNT}(?:{_NUMBER_OF_WORDS}|\d{{1,4}})|{_NUMBER_OF_WORDS}))[*_.]{{0,3}}\s*$",
    re.IGNORECASE,
)
_OFFER = re.compile(
    rf"{_BEFORE}(?:please |also,? )?(?:feel free to|let me know|(?:don't|do not) hesitate|"
    r"(?:i )?hope (?:this|that|it|these)(?: \w+)? "
    r"(?:helps?|works?|meets?|fits?|suits?|is what|is (?:helpful|useful))|"
    r"would you like|do you (?:want|need) (?:me|any|a|another)|is there anything|"
    r"enjoy\b[!. ]*$|how(?:'s| is) (?:this|that)\b|i(?:'d| would) be (?:happy|glad) to|"
    r"i can (?:also|provide|adjust)|happy to (?:adjust|help|revise|provide)|"
    r"if you(?:'d| would)? (?:need|want|like|prefer|have)\b[^.!?\n]{0,80}\b"
    rf"(?:{TEXT}|me|let|adjust\w*|chang\w+|details?|edits?|questions?|modif\w+)\b|"
    r"you (?:can|may) (?:also )?(?:adjust|modify|edit|change|customi[sz]e) (?:this|it|the)).*$|"
    r"\n+\s*thank(?:s| you)\b[^.!?\n]{0,60}[.!?]*\s*$",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(
    rf"{_BEFORE}(?:(?:(?:this|the) )?(?:(?:caption|description|text) )?(?:is |was )?"
    r"(?:generated|written|created) (?:by|with|using) (?:an? )?(?:ai|model|language model|"
    r"assistant)|"
    rf"(?:overall,? )?(?:this|the|these|above) (?:above |short |long )?(?:{TEXT}|text) "
    r"(?:captures?|aims?|highlights?|focus\w*|emphasi[sz]es?|reflects?|conveys?|provides?|uses?|"
    r"is (?:written|about|designed|meant|intended)|was (?:written|generated|created)|describes?|"
    r"summari[sz]es?|includes?|contains?|stays?|meets?|"
    r"(?:has|is) (?:about |around |exactly )?\d+)|"
    r"i(?:'ve|\u2019ve| have)? (?:tried|aimed|focused|included|kept|made sure|avoided))\b.*$",
    re.IGNORECASE | re.DOTALL,
)
_END_MARK = re.compile(
    rf"(?:{_BEFORE}|\s+[(\[<])[-=*_ ]{{0,6}}(?:the )?end(?: of (?:the |my |this )?"
    rf"(?:(?:long |short |image )?{TEXT}|text|reply|message))?[-=*_ .!)\]>]{{0,8}}$",
    re.IGNORECASE,
)
TAGS_CHARS = 1000
"""Characters at the end in which hashtags are looked for."""

_HASHTAG = r"#[^\W\d_][\w-]{0,50}"
_HASHTAGS = re.compile(
    rf"(?:\s*\n\s*|(?<=[.!?\"'\u201d)])\s+){_HASHTAG}(?:[\s,]+{_HASHTAG})*\s*$|"
    rf"(?:\s+{_HASHTAG}){{2,}}\s*$"
)


def _tail(pattern: re.Pattern[str]) -> Callable[[str], str]:
    """Return the removal of all from the first match on; a match in a quotation is none."""
    sought = Sought(pattern)

    def apply(text: str) -> str:
        if sought.may_match(text):
            for match in outside_quotations(pattern, text):
                if match.start():
                    return text[: match.start()]
        return text

    return apply


def _without_hashtags(text: str) -> str:
    end = text[-TAGS_CHARS:]
    return text[: len(text) - len(end)] + _HASHTAGS.sub("", end)


def _repeated_end(text: str) -> str:
    first, second = text[: len(text) // 2].strip(), text[len(text) // 2 :].strip()
    if first == second and first.endswith((".", "!", "?", "\u3002")):
        return first
    said = sentences(text)
    if len(said) < 2:
        return text
    plain = [" ".join(re.findall(r"\w+", sentence.casefold())) for sentence in said]
    last = len(said)
    while last > 1 and _long(plain[last - 1]) and plain[last - 1] in plain[: last - 1]:
        last -= 1
    if last == len(said) > 1 and said[-1][-1:].isalnum():  # cut short in a repetition
        fragment = plain[-1]
        if len(fragment.split()) >= 3 and any(one.startswith(fragment) for one in plain[:-1]):
            last -= 1
    return " ".join(said[:last]) if last < len(said) else text


def _long(plain: str) -> bool:
    return len(plain.split()) >= 3 or (not plain.isascii() and len(plain) >= 6)


NOTE = Rule(
    "note",
    "a note, keywords or an explanation after the caption",
    _tail(_NOTE),
    needs=":\uff1atT\n",
)
WORD_COUNT = Rule(
    "word_count", "a count of its words", lambda text: _WORD_COUNT.sub("", text), needs="0123456789"
)
OFFER = Rule("offer", "an offer to go on, a wish that it helps", _tail(_OFFER))
COMMENT = Rule("comment", "sentences about the caption after it", _tail(_COMMENT))
END_MARK = Rule("end_mark", "`[End of caption]`", _tail(_END_MARK))
HASHTAGS = Rule("hashtags", "hashtags after the caption", _without_hashtags, needs="#")
REPEATED_END = Rule("repeated_end", "sentences said before, at the end", _repeated_end)
