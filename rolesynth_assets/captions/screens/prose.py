"""Detection of refusals, persona talk and text that is not prose in captions.

The patterns prefer precision over recall. A caption may mention observers, experts and assistants;
a pattern matches only a writer that talks about itself, its role or its task. Words in quotation
marks are quotations (a sign, a T-shirt), so they are removed first; so are words that the sentence
places in the picture. The patterns are English only.
"""

import json
import re
import unicodedata
from functools import lru_cache

from rolesynth_assets.captions.screens.shown_words import PLACED, READ_OUT, first_own
from rolesynth_assets.reply_text.sentences import own_words
from rolesynth_assets.reply_text.sought import Sought

_START = r"(?:^|(?<=[.!?:;]\s)|(?<=,\s))"  # where a sentence or a clause begins
_MACHINE = (
    r"(?:ai|a\.i\.|artificial intelligence|language model|large language model|llm|vision model|"
    r"vision-language model|multimodal model|chatbot|virtual assistant|ai assistant|assistant|"
    r"ai model|ai language model)"
)
_ROLE_NOUN = (
    r"(?:observer|interpreter|analyst|narrator|setter|responder|expert|specialist|critic|"
    r"describer|captioner|annotator|storyteller|photographer|curator|historian)"
)
_ROLE_PHRASE = rf"(?:an?|the|your)\s+(?:[\w-]+\s+){{0,3}}{_ROLE_NOUN}(?:\s+of\s+\w+)?"
_IMAGE_WORD = r"(?:image|picture|photo|photograph|scene|composition|caption|painting|drawing)"
_DESCRIBE = (
    r"(?:assist|help|describe|provide|generate|create|comply|answer|see|view|identify|caption|"
    r"write|process|analy[sz]e|access|open|fulfil|fulfill|interpret|determine|tell what|"
    r"make out|do that|continue|give|offer|produce|find|discern|supply|proceed|load|display|"
    r"retrieve|read|receive)"
)
_CANNOT = (
    r"(?:can(?:'t|not| not)|(?:am|are) (?:unable|not (?:able|allowed|permitted)) to|"
    r"(?:won't|will not)(?: be able to)?|could(?:n't| not)|(?:must|have to) (?:decline|refuse) to|"
    r"(?:do not|don't) have the (?:ability|capability) to|have no way (?:of|to))"
)
# The letter is matched before the lookbehind, because most texts contain no "I" at all. The "I" in
# "World War I", or in a sign that says "I ...", is not the writer.
_I = (
    r"\bI(?<!war I)(?<!type I)(?<!part I)(?<!phase I)(?<!says I)(?<!reads I)(?<!saying I)"
    r"(?<!reading I)(?<!says, I)(?<!reads, I)"
)
_I_OPENS = (
    r"\b(?:I(?:(?<=^I)|(?<=[.!?:;,]\sI)|(?<=\bbut\sI)|(?<=\bhowever\sI)|(?<=\bunfortunately\sI)|"
    r"(?<=\bthat\sI)|(?<=\bso\sI)|(?<=\band\sI)|(?<=\bwhich\sI)|(?<=\bbecause\sI))|"
    r"we(?:(?<=^we)|(?<=[.!?:;,]\swe)|(?<=\bbut\swe)|(?<=\bunfortunately\swe)|(?<=\bso\swe)))"
)
_IMG = r"(?:image|picture|photo(?:graph)?|attachment)s?"
_SEEMS = (
    r"^(?:unfortunately,? |sorry,? |it (?:seems|appears|looks) (?:like |as if |as though |that )?)?"
)
_BLOCKED = r"(?:blocked|flagged|rejected|filtered|refused|stopped|moderated)"

_PERSONA = [
    Sought(pattern)
    for pattern in (
        # "As an AI, ...", "as a language model trained"
        rf"{_START}as (?:an?|your) (?:[\w-]+ )?{_MACHINE}\b"
        r"(?=\s*(?:,|i\b|my\b|trained|developed))",
        # "I am an AI", "I'm a compositional analyst"
        rf"{_I}(?:'m| am) (?:just |only )?(?:an?|the|your) (?:[\w-]+ ){{0,3}}"
        rf"(?:{_MACHINE}|{_ROLE_NOUN})\b",
        # "As an observer of details, I see / the image shows"
        rf"{_START}(?:speaking |acting |looking |writing )?as {_ROLE_PHRASE}\s*,[^.!?]{{0,40}}?"
        rf"\b(?:I|my|we|our|(?:the|this) {_IMAGE_WORD})\b",
        rf"\bas {_ROLE_PHRASE},? (?:I|my)\b",
        # its role and its task
        r"\bfrom my (?:perspective|viewpoint|point of view)\b",
        r"\b(?:in|as part of|given) my (?:role|capacity|position) (?:as|of)\b",
        r"\bmy (?:role|task|job|responsibilit(?:y|ies)|expertise) (?:is|are|here|requires?)\b",
        rf"{_I} (?:was|am|have been) (?:asked|instructed|told|tasked|assigned|prompted) to\b",
        # itself at work: "I notice", "I can see", "makes me feel"
        rf"{_I} (?:can )?(?:also |clearly |really |would |will )?(?:notice|observe|see|sense|feel|"
        r"believe|think|imagine|perceive|describe|say|note|focus|interpret|find)\b(?! you\b)",
        r"\b(?:makes|making|leaves|leaving|fills|filling|gives|giving|reminds) me\b",
        r"\bin my (?:opinion|view|eyes)\b",
        # the request itself
        rf"^you are an? (?:[\w-]+ ){{0,3}}{_ROLE_NOUN}\b",
        rf"^(?:describe|caption|write|generate)\b[^.!?]{{0,40}}\b(?:the|this) {_IMAGE_WORD}\b",
        r"\b(?:system prompt|my training data|my instructions|the instructions (?:say|ask)|"
        r"you (?:asked|have asked|requested))\b",
        r"\b(?:let me know if|hope this helps|feel free to ask|would you like me to)\b",
    )
]

_REFUSAL = [
    Sought(pattern)
    for pattern in (
        rf"{_I_OPENS} {_CANNOT} (?:\w+ly )?{_DESCRIBE}\b",
        rf"{_I_OPENS} (?:(?:(?:do|did)(?: not|n't)|have(?: not|"
        rf"n't)) (?:\w+ly )?(?:have (?:access to )?|"
        r"receiv(?:e|ed) |get |got |find |detect )|have no (?:access to )?|(?:would |first )?need "
        rf"(?:to see )?)(?:(?:an?|any|the|your) )?(?:\w+ )?{_IMG}\b",
        rf"{_SEEMS}there (?:does|did)(?: not|n't) (?:seem|appear) to be (?:an?|any) {_IMG}\b",
        rf"{_SEEMS}(?:the|this|your) {_IMG} (?:(?:is|was)(?: not|n't) visible(?=\s?[,.;!]|$)|"
        r"(?:did|does)(?: not|n't) (?:come through|upload|arrive|attach|reach)|"
        r"(?:appears|seems) to (?:be (?:blank|empty|missing|corrupt\w*|damaged|broken|unavailable|"
        r"inaccessible)|have failed)|(?:is|was) too \w+ (?:for me )?to (?:describe|"
        r"caption|make out|"
        r"identify|tell|see))\b",
        rf"{_SEEMS}(?:(?:the|this|your) {_IMG}|(?:this|your) (?:request|prompt|"
        rf"message)) (?:\w+ ){{0,2}}(?:"
        rf"violat\w+|breach\w*|goes against|{_BLOCKED})\b",
        rf"{_SEEMS}(?:no {_IMG} (?:was|is|were|has been|have been) (?:\w+ly )?(?:attached|provided|"
        r"uploaded|included|given|sent|received)|you (?:have|did|do)(?: not|n't) (?:\w+ )?"
        rf"(?:attach|provid|upload|shar|includ|sen[dt])\w*)",
        rf"^(?:content|request|response|{_IMG})s? {_BLOCKED}\b|"
        rf"\b{_BLOCKED} (?:by|as|for|due to) (?:the |our |an? |potentially )?"
        r"(?:\w+ ){0,2}?(?:(?:safety|content) (?:system|filter|setting|polic|check|guard|moderat|"
        r"guideline|mechanis|rule)\w*|moderation|policy|policies|violat\w+)\b",
        rf"^{_IMG} (?:unavailable|not (?:available|found|loaded|provided|supported))\s?[:.,!;-]|"
        rf"^(?:(?:could|can) ?not|couldn't|can't|unable to|failed to) (?:process|load|"
        rf"open|read|view|"
        rf"describe|access|see|decode) (?:the |this |your )?{_IMG}\b",
        r"\b(?:our|my|the) (?:content|usage|safety) (?:policy|policies|guidelines)\b",
        r"\b(?:please|could you|can you) (?:\w+ )?(?:re-?upload|re-?send|re-?attach|"
        r"upload|attach|share) "
        r"(?:it|one|them)\b",
        r"\b(?:caption|description) (?:can(?:not|'t| not)|could(?: not|n't)) be (?:provided|given|"
        r"generated|written|created|made)\b",
        r"\bhow (?:can|may) I (?:help|assist) you\b",
        rf"{_I_OPENS}'m (?:unable|not able) to (?:\w+ly )?{_DESCRIBE}\b",
        r"^(?:I'm |I am )?(?:so |very )?sorry,?[^.!?]{0,40}\b(?:I|but)\b[^.!?]{0,40}"
        rf"(?:{_CANNOT}|unable|not able)",
        r"^(?:I )?apologi[sz]e\b|^my apologies\b",
        rf"{_I_OPENS} (?:don't|do not|can't|cannot) see (?:an?|any|the) (?:image|picture|photo)",
        r"^(?:there is )?no (?:image|picture|photo) (?:was |is |has been )?"
        r"(?:(?:provided|attached|uploaded|included|given)\b|"
        r"available(?= to\b| for me| in (?:the|this|your)|\s*[.!,;:]|\s*$))",
        r"\b(?:please|could you|can you) (?:\w+ )?(?:provide|upload|share|attach|send) "
        r"(?:an?|the|your|another) (?:\w+ )?(?:image|picture|photo)",
        r"^(?:it (?:seems|appears|looks) (?:like |as if |as though |that )?)?"
        r"(?:the|this|your) (?:image|picture|photo) (?:could not|cannot|can't|did not|didn't|"
        r"failed to|was unable to) (?:be )?(?:load|view|display|open|process|see|describ)",
        r"^(?:I'm |I am )?(?:so |very )?sorry\b[^.!?]{0,60}\b(?:image|picture|photo)\b[^.!?]{0,40}"
        rf"(?:{_CANNOT}|could not|couldn't|did not|didn't|unable|not able|not)\b",
        r"^(?:it (?:seems|appears|looks) (?:like |as if |that )?)?there (?:is|was|seems to be|"
        r"appears to be) (?:no (?:image|picture|photo)|an? (?:issue|problem|error) with "
        r"(?:the|this|your) (?:image|picture|photo))",
        r"^(?:the|this|your) (?:image|picture|photo) (?:is not|isn't|was not|wasn't) (?:"
        r"visible to me|accessible|provided|attached|loading|available to)\b",
        r"^(?:please|could you|can you) (?:\w+ ){0,2}(?:describe|tell me|give me|explain)\b"
        r"[^.?!]{0,60}\b(?:image|picture|photo)\b",
        r"^it is not possible to (?:describe|see|provide|determine)\b",
    )
]

_PLACEHOLDER = re.compile(
    r"^[\[<{(]?\s*(?:insert|add|put|place|write|type|your)\b[^.]{0,40}\b(?:caption|description|text|"
    r"answer)\b[^.]{0,10}\bhere\b|^(?:todo|tbd)\b|^lorem ipsum\b|"
    r"^this is an? (?:placeholder|dummy|sample) (?:caption|description|text)\b",
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"^(?:\w*error|\w*exception|internal server error|traceback \(most recent call last\)|"
    r"bad gateway|service (?:temporarily )?unavailable|gateway time-?out|too many requests|"
    r"rate limit (?:exceeded|reached)|(?:the )?request (?:failed|timed out)|"
    r"cuda (?:error|out of memory))\b(?:[:(.]|\s*$)",
    re.IGNORECASE,
)
MOST_LISTED, WORDS_OF_A_TAG = 8, 3
"""From so many parts between commas, each of at most so many words, a text is a list of tags."""
MIN_LETTERS = 0.6
"""Share of letters in prose; digits count half, since a picture may be full of numbers."""

_WORD = re.compile(r"[^\W\d_]+")
_JSON_START = re.compile(r"[{\[]\s*(?:[{\[]\s*)?[\"'][\w -]{1,40}[\"']\s*[:,\]]")
_KEYS = (
    r"(?:esc(?:ape)?|enter|return|tab|ctrl|control|alt|shift|del(?:ete)?|space(?:bar)?|backspace|home|"
    r"end|ins(?:ert)?|caps ?lock|f\d{1,2}|up|down|left|right|pg ?up|pg ?dn|cmd|"
    r"command|option|fn|win|"
    r"windows|menu|start|stop|play|pause|back|next|exit|ok)"
)
_TAG = re.compile(  # of any length; <info@shop>, <3 and a key such as <Esc> are not tags
    rf"<(?!{_KEYS}>)/?[a-z][\w:-]*(?:[\s/][^<>]*)?>|<!--|<(?:img|script|iframe|svg|style|link|meta|object|embed|"
    r"video|audio|a|form|input|base|body)[\s/]",
    re.IGNORECASE,
)


def find_refusal(text: str) -> str | None:
    """Return the words that refuse to answer, or None."""
    return first_own(_REFUSAL, text, READ_OUT, PLACED)


def find_persona(text: str, role: str = "") -> str | None:
    """Return the words in which the writer talks about itself, its role or its task, or None.

    Args:
        text: a caption on one line.
        role: the role's name. "As the <role>, ..." is persona talk; so is a role name of two or
            more words anywhere in the text, spelt as in its record.
    """
    if match := first_own(_PERSONA, text, READ_OUT, PLACED):
        return match
    if not role:
        return None
    own = own_words(text)
    as_role, named = _patterns_of(role)
    match = as_role.search(own) or (named.search(own) if len(role.split()) > 1 else None)
    return match.group(0) if match else None


@lru_cache(maxsize=256)
def _patterns_of(role: str) -> tuple[Sought, Sought]:
    """Return the patterns of "As the <role>, ..." and of the role's name as it is spelt."""
    name = re.escape(role)
    speaks = rf"{_START}as (?:an?|the|your) {name}\s*,(?! (?:she|he|they|her|his|their)\b)"
    return Sought(speaks), Sought(re.compile(rf"\b{name}\b"))


def find_no_prose(text: str) -> str | None:
    """Return why a text is not prose (JSON, markup, tags, symbols, an error, ...), or None."""
    if text[:1] in "{[" and (_is_json(text) or _JSON_START.match(text)):
        return "JSON"
    if _TAG.search(text):
        return "markup"
    if _PLACEHOLDER.match(text):
        return "a placeholder"
    if _ERROR.match(text):
        return "an error message"
    parts = text.rstrip(".").split(",")
    if len(parts) >= MOST_LISTED and all(len(part.split()) <= WORDS_OF_A_TAG for part in parts):
        return "a list of tags"
    dense = "".join(text.split())
    letters = sum(map(str.isalpha, dense))  # most texts have enough of them without the others
    if letters < MIN_LETTERS * len(dense) and sum(map(_writes, dense)) / len(dense) < MIN_LETTERS:
        return "mostly symbols"
    words = [word.casefold() for word in _WORD.findall(text)]
    # captions within bounds repeat articles and objects; a share of different words below a fifth
    # means that the text repeats itself
    if len(words) >= 12 and len(set(words)) / len(words) < 0.2:
        return "one phrase over and over"
    return None


def _writes(char: str) -> float:
    if char.isalpha() or unicodedata.category(char)[0] == "M":  # vowels of Thai, Hindi
        return 1.0
    return 0.5 if char.isdigit() else 0.0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
