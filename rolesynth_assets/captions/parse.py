"""Parsing of a model's reply into a caption, or into the reason why there is none."""

from dataclasses import dataclass

from rolesynth_assets.captions.lengths import LengthRule
from rolesynth_assets.captions.reasons import RULES_VERSION, CaptionReason
from rolesynth_assets.captions.screens.links import find_link
from rolesynth_assets.captions.screens.orders import find_order
from rolesynth_assets.captions.screens.prose import find_no_prose, find_persona, find_refusal
from rolesynth_assets.mllm.engine import ChatReply
from rolesynth_assets.reply_text.caption import clean_caption
from rolesynth_assets.reply_text.languages import find_other_language
from rolesynth_assets.reply_text.rule import MAX_REPLY_CHARS
from rolesynth_assets.reply_text.sentences import count_words

MAX_DETAIL_CHARS = 500
ENGLISH = "en"


@dataclass(frozen=True)
class ParsedCaption:
    """A caption, or the reason why there is none: exactly one of `text` and `reason` is set.

    Attributes:
        text: the caption on one line, without anything around it.
        reason: why there is no caption.
        detail: explanation for a person: the words that a pattern matched and the text around them
            (at most 500 characters); empty for a caption.
        words: number of words of the caption, or of the rejected text.
        cuts: names of the cleaning rules that changed the reply.
        reply: the model's words, if they are not exactly the caption.
    """

    text: str | None
    reason: CaptionReason | None
    detail: str = ""
    words: int = 0
    cuts: tuple[str, ...] = ()
    reply: str | None = None


@dataclass(frozen=True)
class Reading:
    """How the replies of a role set are read, beside the bounds of their length.

    Attributes:
        language: language of the role set, a key of `LANGUAGES`.
        uncut: names of cleaning rules that are switched off.
    """

    language: str = ENGLISH
    uncut: frozenset[str] = frozenset()

    def describe(self, rule: LengthRule) -> str:
        """Return what the text of a length kind depends on besides the reply, as stored."""
        uncut = f", not {' '.join(sorted(self.uncut))}" if self.uncut else ""
        bounds = f"{rule.min_words}-{rule.max_words} words"
        return f"rules {RULES_VERSION}, {self.language}, {bounds}{uncut}"


AS_SHIPPED = Reading()
"""English, with all cleaning rules."""


def parse_caption(
    reply: ChatReply, rule: LengthRule, role: str = "", reading: Reading = AS_SHIPPED
) -> ParsedCaption:
    """Clean a reply's text and screen it (paper, caption synthesis).

    Refusals, persona talk and texts that are merely too short get different reasons, so that the
    counts by reason show what to do.

    Args:
        reply: the engine's reply.
        rule: length kind asked for, with its bounds in words.
        role: the role's name, for labels and persona talk.
        reading: language, and cleaning rules that are switched off.
    """
    if reply.text is None:
        reason = CaptionReason(str(reply.reason))
        return ParsedCaption(None, reason, reply.detail[:MAX_DETAIL_CHARS])
    return parse_text(reply.text, rule, role, reading)


def parse_text(
    reply: str, rule: LengthRule, role: str = "", reading: Reading = AS_SHIPPED
) -> ParsedCaption:
    """Clean and screen the text of a reply; see `parse_caption`."""
    cleaned = clean_caption(reply, str(rule.kind), role, reading.uncut)
    text, words = cleaned.text, count_words(cleaned.text)
    said = None if text == reply else reply[:MAX_REPLY_CHARS]
    if cleaned.fault:
        turned_down = CaptionReason.SEVERAL, cleaned.fault
    elif not text:
        detail = f"nothing but {', '.join(cleaned.cuts)}" if cleaned.cuts else ""
        return ParsedCaption(None, CaptionReason.EMPTY, detail, 0, cleaned.cuts, said)
    else:
        turned_down = _screen(text, words, rule, role, reading.language)
    if turned_down:
        reason, caught = turned_down
        detail = f"{caught}: {text}"[:MAX_DETAIL_CHARS]
        return ParsedCaption(None, reason, detail, words, cleaned.cuts, reply[:MAX_REPLY_CHARS])
    return ParsedCaption(text, None, "", words, cleaned.cuts, said)


def _screen(
    text: str, words: int, rule: LengthRule, role: str, language: str
) -> tuple[CaptionReason, str] | None:
    if caught := find_no_prose(text):
        return CaptionReason.NOT_TEXT, caught
    if caught := find_link(text):
        return CaptionReason.LINK, f"{caught!r}"
    if caught := find_order(text):
        return CaptionReason.ORDER, f"{caught!r}"
    if caught := find_refusal(text):
        return CaptionReason.REFUSED, f"{caught!r}"
    if caught := find_persona(text, role):
        return CaptionReason.PERSONA, f"{caught!r}"
    if caught := find_other_language(text, language):
        return CaptionReason.LANGUAGE, caught
    if words < rule.min_words:
        return CaptionReason.TOO_SHORT, f"{words} words of at least {rule.min_words}"
    if words > rule.max_words:
        return CaptionReason.TOO_LONG, f"{words} words of at most {rule.max_words}"
    return None
