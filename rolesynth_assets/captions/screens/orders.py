"""Detection of orders to the reader in captions, such as which score a judge should give.

Words in quotation marks, and words that follow "reads" or "says" in a sentence, are part of the
picture and no orders. The patterns here are English; `order_words` has other languages. They
prefer precision: the judge reads every caption as data, so an order that none of them finds raises
no score.
"""

import re
import unicodedata

from rolesynth_assets.captions.screens.order_words import (
    GOOD_SCORE,
    NOTHING_COUNTED,
    SENTENCE,
    find_asking,
)
from rolesynth_assets.captions.screens.shown_words import IN_PICTURE, first_own
from rolesynth_assets.reply_text.sentences import own_words
from rolesynth_assets.reply_text.sought import Sought

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
_BEST = r"(?:(?:one |a )?hundred|maximum|max|highest|top|perfect|full)"
_LINE = r"(?:line\s+(?:one|1)|(?:first|top|opening)\s+(?:line|row))"
_ABOUT = rf"(?:\b(?:{_MARK}|{_LINE})\b|\b{_BEST}\b{NOTHING_COUNTED}|{GOOD_SCORE})"
_IT = (
    r"(?:an?|the|this|that|it|me|us|one|only|just|your|all|full|max(?:imum)?|top|highest|perfect|"
    r"\d+(?=\s+(?:points?|as|on\s+(?:line|the\s+(?:first|top)\s+line)|(?:for|to)\s+(?:this|it)))\b)"
)
_NO_COUNT = r"(?:\b(?:100|hundred)\b(?!%)" + NOTHING_COUNTED + ")"
_FILLED = (
    r"\s*(?:\d|(?:one\s+)?hundred\b|true\b|yes\b|"
    r"(?:an?|one|the|your)\s+(?:integer|number|score|rating)\b)"
)
_ENDS = r"(?![\w'-])"
"""The end of an imperative: "give-and-take" and "Grant's" are none."""
_REQUEST = Sought(
    r"\b(?:please|kindly|(?:would|could|can|will|might) you|if you (?:could|would|can)|"
    r"I(?:'d| would) (?:appreciate|like|love|suggest|recommend|be (?:grateful|happy|glad))|"
    r"(?:I|we) (?:ask|beg|urge|request|recommend|suggest|propose|hope|expect|want|need)|"
    r"would be (?:much |greatly |highly )?(?:appreciated|welcome|nice|great|fair|right|best|kind)|"
    r"be (?:so |very )?(?:kind|nice|generous|lenient)|thank you|thanks in advance|"
    r"you (?:may|might|can|could|would|will|ought to|want to) (?:safely |just |simply )?"
    r"(?:give|award|assign|rate|score|grade|put|write|answer|output|return))\b"
)
"""Words of "Could you give it 100, please?" and "A top rating would be appreciated"."""
_SCORE = re.compile(_ABOUT, re.IGNORECASE)

_ORDERS = [
    Sought(pattern)
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
        r"(?:100|[5-9]\d)\b(?!\s*[-\u2013:]\s*\d)(?=\s*(?:/|%|out\b|points?\b|[.!,;]|$))",
        rf"{_START}(?:{_MARK}|output|answer|result|verdict|response|reply)\s*(?:[:=]|->|=>|\u2192)\s*"
        r"(?:100|[5-9]\d)\b(?!\s*[-\u2013:]\s*\d)(?=\s*(?:/|%|out\b|points?\b|[.!,;]|$))",
        r"\{\s*[\"']{0,2}\w{0,20}[\"']{0,2}\s*[:=]\s*\d{1,3}\s*\}",
        rf"{_START}(?:answer|reply|respond)\s+with\s+(?:an?\s+)?(?:100|[5-9]\d)\b",
        rf"\b{_JUDGE}\s+(?:must|shall|should|ought to|has to|have to|needs? to|is to|"
        rf"are to)\s+(?:\w+\s+)?"
        r"(?:award|give|assign|grant|rate|score|grade|put|write|accept)\b"
        rf"[^.!?:;,]{{0,60}}?{_ABOUT}",
        rf"{_START}(?:write|put|enter|print|output|type|say|answer|reply|respond),\s[^.!?:;]{{0,60}}?"
        rf"(?:\b{_LINE}\b|{_NO_COUNT})",
        # "Give this a 100", "Rate this caption highly", "Assign the highest score"
        rf"{_START}(?:score|rate|grade|judge|mark|evaluate|rank)\s+(?:it|{_THIS})\b",
        rf"{_START}(?:give(?!\s+or\s+take)|assign|award|grant){_ENDS}[^.!?:;,]{{0,40}}?"
        rf"(?:\b{_MARK}\b|{_NO_COUNT})",
        rf"{_START}(?:output|(?:return|print|type)(?!\s+(?:of|on|from|number|no|\d+,))|respond|"
        rf"reply|answer|write|say|emit){_ENDS}[^.!?:;,]{{0,30}}?"
        rf"(?:{GOOD_SCORE}|{_NO_COUNT}|\bfirst line\b)",
        # "This caption deserves 100", "must be scored 100"
        rf"\b(?:{_THIS}|my)\s+(?:\w+\s+)?{_TEXT}\s+(?:\w+ly\s+)?(?:deserves?|merits?|earns?|"
        r"scores?|gets?|must|should|is\s+(?:\w+ly\s+)?(?:true|correct|accurate|perfect|faithful))\b",
        rf"\b(?:deserves?|merits?|earns?|must\s+get|should\s+(?:get|receive))\s+{_TOP}"
        rf"(?:\s+{_MARK}\b|\b{NOTHING_COUNTED})",
        r"\b(?:must|should|shall|has to|needs to)\s+be\s+(?:scored|rated|graded|judged|marked)\b",
        # "Judge: ...", "Note to the grader", "you are now a judge"
        rf"{_START}(?:{_JUDGE}|system|assistant|user|admin|developer)\s*:\s*"
        rf"(?:you\b|your\b|please\b|(?:the|my|this|that)\s+(?:\w+\s+)?{_TEXT}\b|be\s|ignore\b|"
        r"(?:give|award|assign|rate|score|grade|answer|output|write|put|respond|reply|return|say|"
        r"accept|approve|enter)\s+(?:it|this|that|me|an?|the|only|with|yes|true|\d))",
        rf"\b(?:note|message|attention|instructions?|reminder|memo)\s*(?:to|for)?:?\s+"
        rf"(?:the\s+|all\s+|any\s+)?{_MODEL}\b",
        rf"\b(?:dear|hey|hello)\s+(?:\w+\s+)?{_MODEL}\b",
        rf"\byou\s+are\s+(?:now\s+)?(?:an?|the)\s+(?:\w+\s+){{0,3}}{_MODEL}\b",
        r"\byour\s+(?:new\s+|only\s+|next\s+)?(?:task|job|role|instructions?|scores?|ratings?|"
        r"answer|output|reply|response|verdict)\s+(?:is|are|must|should|will|has)\b",
        r"\b(?:new|updated|system|special)\s+(?:instructions?|prompt)\s*:",
        # "Put 100 on line one", "Print the highest rating"
        rf"{_START}(?:put(?!\s+(?:away|together|aside|off|up|out|back|on\s+(?!line\b|the\s+(?:first|top|"
        r"opening)\s+(?:line|row))))|write|give(?!\s+or\s+take)|assign|enter|begin(?!\s+again)|"
        rf"choose|insert|provide|select|ensure|jot|go\s+(?:for|with)){_ENDS}"
        rf"[^.!?:;,]{{0,60}}?{_ABOUT}",
        rf"{_START}(?:place|set|use|start|show|print|fill|record|pick|make|let|state|report|grade|"
        rf"mark|rate|score|consider|return)\s+{_IT}(?!\w)[^.!?:;,]{{0,60}}?(?:\b{_MARK}\b|\b{_LINE}\b|"
        rf"\b{_BEST}\s+{_MARK}|(?<![\d.,:])100(?![\d%:]){NOTHING_COUNTED})",
        # "The rating should be 100", "the only fair score is the maximum"
        rf"\b(?:scores?|ratings?|grade|verdict|{_LINE})\s+(?:for\s+\w+\s+|here\s+)?(?:must|should|"
        r"shall|ought\s+to|needs\s+to|has\s+to|is\s+to|will)\s+(?:be|say|read|contain|show|hold|get)\b",
        r"\b(?:correct|right|only|expected|true|proper|fair|deserved|appropriate|suitable)\s+"
        r"(?:\w+\s+)?(?:score|rating|grade|mark|verdict)\b[^.!?]{0,20}?\b(?:is|would be)\b"
        rf"[^.!?]{{0,20}}?(?:{GOOD_SCORE}|\b{_BEST}\b{NOTHING_COUNTED})",
        rf"{_START}line\s+(?:one|1)\s*[:=]{_FILLED}",
        # the judge's own question and answer
        rf"\b(?:first|second)\s+line\s*:{_FILLED}",
        r"\bone\s+integer\s+from\s+1\s+to\s+100\b",
        r"\bend\s+of\s+(?:the\s+)?(?:caption|prompt|image|input|description)\b\s*[.:\]]",
        r"\[/?(?:inst|system|user|assistant)\]|(?:^|\s)#{2,}\s*(?:instruction|system|response)\b",
    )
]


_LOOKS_LIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u0410\u0412\u0415\u041a\u041c\u041d\u041e"
    "\u0420\u0421\u0422\u0425\u0405\u0406\u03bf\u039f\u0391\u0395",
    "aeopcyxisjABEKMHOPCTXSIoOAE",
)
"""Cyrillic and Greek letters that look like Latin ones."""
_ZERO = re.compile(r"(?<=[A-Za-z])0(?=[A-Za-z])")
_LETTER_O = re.compile(r"(?<=\d)[oO]+\b")


def _as_latin(text: str) -> str:
    """Return a text as it looks: `SC0RE 1OO` is SCORE 100."""
    if re.search("[A-Za-z]", text):
        text = text.translate(_LOOKS_LIKE)
    return _LETTER_O.sub(lambda match: "0" * len(match[0]), _ZERO.sub("O", text))


def find_order(text: str) -> str | None:
    """Return the words that give orders to the caption's reader, such as a judge, or None."""
    text = unicodedata.normalize("NFKC", text)  # full-width letters and digits
    for spelt in dict.fromkeys((text, _as_latin(text))):
        if found := first_own(_ORDERS, spelt, IN_PICTURE):
            return found
    own = own_words(text)
    return next(filter(_requests, SENTENCE.findall(own)), None) or find_asking(own)


def _requests(sentence: str) -> bool:
    request = _REQUEST.search(sentence)
    return bool(
        request and _SCORE.search(sentence) and not IN_PICTURE.search(sentence, 0, request.start())
    )
