"""Rules for HTML, Markdown and escapes in an answer that is prose."""

from __future__ import annotations

import html
import re

from rolesynth_assets.reply_text.rule import CannotCleanError, Rule

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_BLOCK = re.compile(
    r"</?(?:p|br|hr|div|h[1-6]|ul|ol|li|blockquote|pre|html|body|head|article|section|main|figure|"
    r"figcaption|center|details|summary|paragraph)(?:\s[^<>]{0,200})?\s*/?>",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"</?(?:b|i|em|strong|u|span|sub|sup|small|big|mark|font|code|tt|q|cite)(?:\s[^<>]{0,200})?\s*/?>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"^<!--.{0,400}?-->|<!--(?:(?!-->).){0,400}-->$", re.DOTALL)
_LINE_ESCAPE = re.compile(
    r"(?<=[.!?:;,\"*\u201d])\\n|\\n(?=\\n|[\sA-Z*#-]|$)|\\[rt](?=\s|$)|"
    r"(?:(?<=\s)|(?<=[a-z]{3}))\\n(?=(?:while|and|with|an?|the|in|on|at|by|of|as|to|from|under|near|"
    r"beside|behind|its|their|is|are|that|which|who)\b)"
)
_ESCAPE = re.compile(r"\\([\"'*_#&%$~`.!-])")

_TITLE = re.compile(
    r"^(?:[ \t]*#{1,6}[ \t]+(?![^\n]*[:\uff1a][ \t*_]*[^\s*_])[^\n]{1,120}(?<![.!?])|"
    r"[^\n]{1,120}(?<![.!?])\n[ \t]*(?:={3,}|-{3,})[ \t]*|"
    r"[ \t]*(?:\*\*|__)[^*_\n]{1,100}[^*_.!?\n](?:\*\*|__)[ \t]*(?=\n)|"
    r"[ \t]*(?:\*\*|__)?title(?:\*\*|__)?[ \t]*[:\uff1a](?:\*\*|__)?[^\n]{1,120}(?=\n))"
    r"\n+(?=\S)",
    re.IGNORECASE,
)
_HEADING_MARK = re.compile(r"^[ \t]*#{1,6}[ \t]+(?!(?:instruction|system|response)\b)", re.I | re.M)
_RULE_LINE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.MULTILINE)
MIN_WORDS = 5
"""From so many words on, what is above or below a line may be a caption."""
_QUOTE_MARK = re.compile(r"^[ \t]*>[ \t]+", re.MULTILINE)
_BULLET = re.compile(
    r"^[ \t]*(?:[-*+\u2022\u25cf\u25aa\u2023\u00b7\u2013\u2014]|\(?\d{1,2}[.)]|\(?[a-e]\)|"
    r"\(?(?:i{1,3}|iv|v)[.)]|[\u2460-\u2473])[ \t]+(?=\S)",
    re.M,
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:\*\*)?(?:\(?\d{1,2}[.)]|\(?[a-e]\)|\(?(?:i{1,3}|iv|v)[.)]|"
    r"[\u2460-\u2473])[ \t]+(?=\S)",
    re.MULTILINE,
)
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_EMPHASIS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(?<![\w*])\*\*\*(?=\S)(.{1,2000}?)(?<=\S)\*\*\*(?![\w*])",
        r"\*\*(?=\S)([^*]{1,2000}?)(?<=\S)\*\*",
        r"(?<![\w_])__(?=\S)([^_]{1,2000}?)(?<=\S)__(?![\w_])",
        r"(?<![\w*])\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*(?![\w*])",
        r"(?<![\w_])_(?=\S)([^_\n]{1,2000}?)(?<=\S)_(?![\w_])",
        r"~~(?=\S)([^~]{1,2000}?)(?<=\S)~~",
        r"(?<!`)`([^`\n]{1,300})`(?!`)",
    )
]
_STRAY = re.compile(r"\*\*+|(?:^|(?<=\s))__(?=\s|$)|`{3,}")

_PICTOGRAMS = (
    "(?:[0-9#*]\ufe0f?\u20e3|[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])"
    "[\ufe0f\u200d\U0001f3fb-\U0001f3ff]*"
)
_FIRST_EMOJI = re.compile(rf"^(?:{_PICTOGRAMS}\s*){{1,20}}(?=\S)")
_LAST_EMOJI = re.compile(rf"(?<=[.!?\"'\u201d)\u3002])\s*(?:{_PICTOGRAMS}\s*){{1,20}}$")

_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_QUOTES |= {"\u201e": "\u201c", "\u300c": "\u300d"}
_AROUND = _QUOTES | {"(": ")", "[": "]"}
_DOUBLE = {*_QUOTES} - {"'", "\u2018"}


def _entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]).replace("\xa0", " "), text)


def _html(text: str) -> str:
    return _INLINE.sub("", _BLOCK.sub("\n", _COMMENT.sub(" ", text)))


def _escapes(text: str) -> str:
    return _ESCAPE.sub(r"\1", _LINE_ESCAPE.sub("\n", text))


def _title(text: str) -> str:
    return _TITLE.sub("", text, count=1)


def _bullets(text: str, whole: bool) -> str:
    """Join bullets that are sentences; a list of phrases or of alternatives is no caption."""
    if len(_TABLE.findall(text)) > 1:
        raise CannotCleanError("a table")
    parts = [part for part in _RULE_LINE.split(text) if len(part.split()) >= MIN_WORDS]
    if len(parts) > 1:
        raise CannotCleanError(f"{len(parts)} texts with a line between them")
    items = _BULLET.findall(text)
    if len(items) > 1:
        if len(_NUMBERED.findall(text)) > 1 or not whole:
            raise CannotCleanError("a list of several texts")
        lines = [line.strip() for line in _BULLET.sub("", text).splitlines() if line.strip()]
        if not all(line.rstrip("*_\"'\u201d)").endswith((".", "!", "?")) for line in lines):
            raise CannotCleanError("a list of phrases")
    return _BULLET.sub("", text)


def _emoji(text: str) -> str:
    return _LAST_EMOJI.sub("", _FIRST_EMOJI.sub("", text))


def _marks(text: str) -> str:
    text = _QUOTE_MARK.sub("", _HEADING_MARK.sub("", _RULE_LINE.sub("", text)))
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    return _STRAY.sub("", text)


def _quotes(text: str) -> str:
    while (bare := _without_quotes(text).strip()) != text and bare:
        text = bare
    return text


def _without_quotes(text: str) -> str:
    if (bare := text.strip("`")) != text and "`" not in bare:
        return bare
    for mark in ('"""', "'''"):
        if text.startswith(mark) and text.endswith(mark) and len(text) > 6:
            return text[3:-3]
    close = _AROUND.get(text[:1])
    if close and len(text) > 1 and text.endswith(close) and _is_one_quotation(text, close):
        return text[1:-1]
    if text[:1] in _DOUBLE and text.count(text[0]) == 1 and _QUOTES[text[0]] not in text[1:]:
        return text[1:]  # the closing mark is missing
    return text


def _is_one_quotation(text: str, close: str) -> bool:
    """Return whether the first and the last quotation mark belong together.

    `"Stop" and "Go"` is two quotations; an apostrophe inside single quotes does not close them.
    """
    inner = text[1:-1]
    if close in "'\u2019":
        return not re.search(rf"{close}(?!\w)|(?<!\w)[{text[0]}]", inner)
    return text[0] not in inner and close not in inner


def bullet_rule(whole: bool) -> Rule:
    """Return the rule for lists.

    Args:
        whole: whether several sentences are asked for, so that bullets may be joined.
    """
    return Rule("bullets", "bullets of a list of sentences", lambda text: _bullets(text, whole))


ENTITIES = Rule("entities", "HTML entities, which become their characters", _entities, needs="&")
HTML = Rule(
    "html", "HTML tags that only format, and comments before and after the answer", _html, needs="<"
)
ESCAPES = Rule("escapes", r"backslashes of `\n`, `\"` and `\*`", _escapes, needs="\\")
TITLE = Rule("title", "a heading or a title above the answer", _title, needs="\n")
MARKDOWN = Rule(
    "markdown", "marks of Markdown: emphasis, headings, quotes, rules", _marks, needs="*_~`#>-="
)
EMOJI = Rule("emoji", "emoji before the first and after the last sentence", _emoji)
QUOTES = Rule("quotes", "quotation marks or brackets around the whole answer", _quotes)
