"""Rules for what a model says before its caption: preambles, drafts and labels."""

from __future__ import annotations

import re
from functools import lru_cache

from rolesynth_assets.reply_text.rule import CannotCleanError, Rule

IMAGE = r"(?:image|picture|photo(?:graph)?|scene|painting|drawing|illustration|input|content)"
TEXT = r"(?:captions?|descriptions?|alt[- ]text|answer|response|version|json|output|rewrite)"
_FOREIGN = (
    r"l\u00e9gende|descripci\u00f3n|t\u00edtulo|descri\u00e7\u00e3o|legenda|beschreibung|"
    r"bildbeschreibung|bildunterschrift|didascalia|descrizione|beschrijving|bijschrift|"
    r"\u043e\u043f\u0438\u0441\u0430\u043d\u0438\u0435|\u043f\u043e\u0434\u043f\u0438\u0441\u044c|"
    r"(?:\u56fe\u7247|\u56fe\u50cf|\u77ed|\u957f)?(?:\u63cf\u8ff0|\u8bf4\u660e|\u6807\u9898)|"
    r"\u30ad\u30e3\u30d7\u30b7\u30e7\u30f3|\u8aac\u660e|\uc124\uba85|\uce90\uc158"
)
"""Words for caption and description in French, Spanish, Portuguese, German, Italian, Dutch,
Russian, Chinese, Japanese and Korean."""
NOUN = rf"(?:caption|description|alt[- ]?text|answer|output|result|text|{_FOREIGN})"
ASIDE = r"(?:\s*[(\[\uff08][^()\[\]\n]{1,60}[)\]\uff09])?"
BOLD = r"(?:\*\*|__|\*|_)?"

SIGNATURE_CHARS = 120
"""Longer than a role's name with its marks."""

_GLAD = r"i(?:(?:'d|\u2019d| would) be|'m|\u2019m| am) (?:happy|glad|delighted) to"
_ACKNOWLEDGES = re.compile(
    r"^(?:(?:yes[,.!]\s*)?(?:(?:sure|certainly|of course|"
    r"here (?:you go|you are|it is)|absolutely|definitely|understood|got it|no problem|"
    r"happy to help|with pleasure|great question|done|h(?:i|ello|ey)(?: there)?|"
    r"thank(?:s| you)(?: (?:so|very) much)?(?: for (?:sharing|providing|"
    r"uploading|sending|the|this|your)"
    r"[^.!?:,\n]{0,40})?)(?: thing)?[!.,:\u2014-]+|(?:great|yes)!+|"
    r"(?:okay|ok|alright|bien s\u00fbr|nat\u00fcrlich|gerne|claro|certo|certamente)\s?[!.,:]+)"
    rf"(?:\s+(?:{_GLAD}|i can (?:help|do)|let me )[^.!?:\n]{{0,80}}[.!:]+)?\s+|"
    rf"{_GLAD}[^.!?:\n]{{0,80}}[.!:]+\s+|"
    rf"(?:what an?|great|nice|lovely|beautiful|cool|wonderful|interesting)\s(?:[\w-]+\s){{0,2}}"
    rf"{IMAGE}!+\s+|(?:\u597d\u7684|\u5f53\u7136)[\uff0c\uff01,!\u3002]+\s*)",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    r"^i(?:'ve|\u2019ve| have) (?:analy[sz]ed|looked|examined|reviewed|viewed|written|prepared)\b"
    r"[^.!:\n]{0,80}(?:[.!:]+\s+|\n+)(?=\S)|"
    r"^(?:let me|let(?:'|\u2019)?s|i(?:'ll|\u2019ll| will| can)|"
    r"i(?:'m|\u2019m| am) going to|allow me to)\s"
    r"(?:now |first |try to |start by |begin by )?(?:describ|caption|analy[sz]|writ|provid|giv|"
    r"creat|generat|craft|compos|look|tak|examin)(?:e|ing)?\b[^.!:\n]{0,80}(?:[.!:]+\s+|\n+)(?=\S)",
    re.IGNORECASE,
)
_BASED_ON = (
    r"(?:(?:based|drawing|judging) (?:on|upon|from)|from|for|given|looking at|"
    r"(?:after|upon|on|by) (?:\w+ly )?(?:looking at|analy[sz]ing|examining|viewing|inspecting|"
    r"observing|reviewing|studying)) "
    rf"(?:the|this|your) (?:\w+ ){{0,2}}{IMAGE}"
    r"(?: (?:provided|given|shown|above|you(?:'ve| have)? (?:shared|provided|uploaded|sent)))?"
)
_HERE_IS = (
    r"(?:(?:(?:and |so |now )?here(?:'s|\u2019s| is| are| you go,?)|"
    r"below (?:is|are|you(?:'ll| will) find)|"
    rf"(?:the )?following (?:is|are))\s[^:.\n]{{0,100}}?\b{TEXT}\b[^:.\n]{{0,100}}|"
    r"here(?:'s|\u2019s| is) (?:one|it|mine|my (?:try|attempt|take))|"
    r"here (?:you go|you are|it is))"
)
_I_WROTE = (
    rf"(?:(?:this is (?:an?|the|my|your)\s(?:[\w-]+\s){{0,3}}?|"
    r"i(?:'ve|\u2019ve| have| would| will|'ll|'d)? (?:suggest|propose|offer|write|written|generate|"
    rf"create|crafted|compose)d?\s[^:.\n]{{0,60}}?)\b{TEXT}\b[^:.\n]{{0,100}}|"
    rf"i(?: would| will|'ll|'d)? (?:caption|describe) (?:(?:this|the) {IMAGE}|"
    rf"this|it)[^:.\n]{{0,60}}|"
    r"i(?: would|'d| will|'ll) (?:write|say|caption it|describe it)(?: as)?|"
    rf"(?:the|this) {IMAGE} (?:can|could|may|might) be (?:captioned|described)[^:.\n]{{0,40}})"
)
_IT_IS = (
    rf"(?:an?|the|my|one|your)\s(?:[\w-]+\s){{0,5}}?{TEXT}"
    r"(?:\s(?:for|of|from|in|that)\b[^:.\n]{0,80}?)?"
    r"\s(?:(?:could|would|might|may|can|should)(?:\s\w+){0,3}|(?:is|are)(?: as follows)?|"
    r"reads? as follows|follows)"
)
_MARK = r"[*_\"'\u201c]{0,3}"
_PREAMBLE = re.compile(
    rf"^{_MARK}(?:(?:{_BASED_ON}|as (?:you )?(?:requested|asked|instructed)|"
    rf"(?:in (?:response|reply|answer) to|per|as per|following|according to|for) "
    rf"(?:your|the|this) (?:request|instructions?|question|guidelines|prompt)|"
    rf"(?:in|as) (?:the|this|my|an?) [^,:.\n]{{1,60}})\s*[,:]\s+)?"
    rf"(?:{_HERE_IS}|{_I_WROTE}|{_IT_IS}){_MARK}"
    rf"(?:[:\uff1a]{_MARK}\s+|\.?[*_]{{0,2}}\s*\n+)",
    re.IGNORECASE,
)
_FOREIGN_PREAMBLE = re.compile(
    r"^(?:voici|hier ist|aqu\u00ed (?:est\u00e1|tienes)|ecco|aqui est\u00e1|hier is)\b"
    r"[^:\n]{0,80}:\s+|"
    r"^(?:\u4ee5\u4e0b\u662f|\u8fd9\u662f|\u4e0b\u9762\u662f)[^\uff1a:\n]{0,40}[\uff1a:]\s*",
    re.IGNORECASE,
)
_ON_THE_IMAGE = re.compile(rf"^{_BASED_ON}[,:]\s+(?=\S)", re.IGNORECASE)
_SEVERAL = re.compile(
    r"\b(?:two|three|four|five|several|some|a few|[2-9]|10)\s+(?:[\w-]+\s+){0,3}?"
    r"(?:captions|options|descriptions|versions|alternatives|variants|variations)\b",
    re.IGNORECASE,
)

_QUALIFIER = (
    r"(?:the|my|an?|one|long|longer|short|shorter|brief|detailed|concise|image|picture|photo|scene|"
    r"good|great|better|best|new|nice|accurate|final|revised|improved|suggested|proposed|generated|possible|full|simple|single|alt)"
)
_LABEL = re.compile(
    rf"^(?:#+\s*)?{BOLD}[\"']?(?:(?:{_QUALIFIER}[\s-]+){{0,4}}{NOUN}(?:\s*#?\d{{1,2}}(?:\s?(?:of|/)\s?\d{{1,2}})?)?"
    rf"(?:\s(?:of|for) (?:the|this) {IMAGE}|,? as (?:you )?(?:requested|asked|instructed))?|"
    r"(?:long|short)(?:[ -](?:version|form))?|(?:image|picture|photo|scene)(?:\s*#?\d{1,2})?|"
    rf"(?:option|version)\s*#?(?:\d{{1,2}}|[a-e]\b)){ASIDE}{BOLD}"
    rf"[\"']?(?:(?:\s*(?:[:\uff1a=\u2192]|->)|[ ][-\u2013\u2014](?=[ ])){BOLD}\s*|"
    rf"(?<=[*_])[ \t]*\n\s*)|"
    rf"^(?:#+\s*)?(?:{_QUALIFIER}[ ]+){{0,3}}(?:caption|description|answer){ASIDE}[ \t]*\n+\s*|"
    rf"^={{2,}}\s?(?:{_QUALIFIER}\s){{0,3}}{NOUN}\s?={{2,}}\s*|"
    rf"^as (?:you )?(?:requested|asked|"
    rf"instructed)[,:]\s(?:(?:{_QUALIFIER}[\s-]){{1,4}}{NOUN}\s?[:\uff1a]\s+)?|"
    rf"^(?:[\[(\u3010]|<<)(?:{_QUALIFIER}\s+){{0,3}}{NOUN}(?:[\])\u3011]|>>)\s*[:\uff1a]?\s*",
    re.IGNORECASE,
)
_END_ASIDE = re.compile(
    rf"\s*[(\[](?:long|short)(?:er)?(?:[\s-](?:{NOUN}|version))?[)\]]\s*$", re.IGNORECASE
)
_FINAL = re.compile(
    r"^(?:#+\s*)?(?:\*\*|__)?(?:thoughts?|thinking|draft|plan|reasoning|analysis|observations?)"
    r"(?:\*\*|__)?\s*[:\uff1a].*\n[ \t]*(?:\*\*|__)?(?:final|answer|response|output|action)"
    r"(?:\*\*|__)?\s*[:\uff1a](?:\*\*|__)?\s*(?=\S)|"
    r"^.*\n[ \t]*(?:#+\s*)?(?:\*\*|__)?"
    r"(?:final (?:answer|caption|description|version|response)|caption)"
    r"(?:\*\*|__)?\s*[:\uff1a](?:\*\*|__)?\s*(?=\S)",
    re.IGNORECASE | re.DOTALL,
)


def _preamble(text: str) -> str:
    text = _ANNOUNCES.sub("", _ACKNOWLEDGES.sub("", text, count=1), count=1)
    if (opening := _PREAMBLE.match(text)) and (several := _SEVERAL.search(opening[0])):
        raise CannotCleanError(f"{several[0]} in one reply")
    text = _FOREIGN_PREAMBLE.sub("", _PREAMBLE.sub("", text, count=1), count=1)
    if (said := _ON_THE_IMAGE.sub("", text, count=1)) != text:
        text = said[:1].upper() + said[1:]
    return text


def _label(role: str, text: str) -> str:
    text = _LABEL.sub("", text, count=1)
    if "(" in text or "[" in text:
        text = _END_ASIDE.sub("", text)
    if not role:
        return text
    before, after = _names(role)
    text = before.sub("", text)
    signed = after.search(text[-SIGNATURE_CHARS:])
    return text[: -len(signed[0])] if signed else text


@lru_cache(maxsize=256)
def _names(role: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of a role's name as a label and as a signature."""
    name = rf"(?:\*\*|__|\[)?(?:the )?{re.escape(role)}(?:\*\*|__|\])?"
    return (
        re.compile(rf"^(?:#+\s*)?{name}\s*[:\uff1a]\s*(?:\*\*|__)?\s*", re.I),
        re.compile(rf"\s*[-\u2013\u2014~]{{1,3}}\s*{name}$", re.I),
    )


PREAMBLE = Rule(
    "preamble",
    "`Sure!`, `Here is a caption:`, `Based on the image, ...`",
    _preamble,
    needs=":\uff1a!,\n.",
)
FINAL = Rule(
    "final",
    "drafts before a line `Final caption:`",
    lambda text: _FINAL.sub("", text, count=1),
    needs="\n",
)


def label_rule(role: str) -> Rule:
    """Return the rule for labels such as `Caption:`, and the role's name as label or signature."""
    return Rule("label", "a label before the caption, or a signature", lambda t: _label(role, t))
