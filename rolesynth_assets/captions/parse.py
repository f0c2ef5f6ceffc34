"""Parsing of a model's reply into a caption, or into the reason why there is none."""

from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.captions.cleaning import clean
from rolesynth_assets.captions.lengths import LengthRule
from rolesynth_assets.captions.links_and_orders import find_link, find_order
from rolesynth_assets.captions.screening import find_no_prose, find_persona, find_refusal
from rolesynth_assets.mllm.engine import ChatReply

MAX_DETAIL_CHARS = 500


class CaptionReason(StrEnum):
    """Why an (image, role, length) has no caption; every `FailureReason` is one of them."""

    CALL_FAILED = "call_failed"
    """Transport or server error after all retries; the next run tries again."""
    TIMEOUT = "timeout"
    """No answer in time; the next run tries again."""
    BAD_RESPONSE = "bad_response"
    """The server's response is not a chat completion; the next run tries again."""
    TRUNCATED = "truncated"
    """The text hit the token limit."""
    REFUSED = "refused"
    """The model refused to describe the image, as reported by the server or in its text."""
    EMPTY = "empty"
    """The model answered nothing."""
    REJECTED = "rejected"
    """The server rejected this request, for example for its size or by its content policy."""
    OVERSIZED = "oversized"
    """The answer has more bytes than the limit."""
    TOO_SHORT = "too_short"
    """Fewer words than the length kind asks for (paper: long 10, short 4)."""
    TOO_LONG = "too_long"
    """More words than the length kind allows."""
    PERSONA = "persona"
    """The text talks about its writer, its role or its task."""
    NOT_TEXT = "not_text"
    """JSON, markup, mostly symbols, or one phrase repeated over and over."""
    LINK = "link"
    """An address, or Markdown that a page would load."""
    ORDER = "order"
    """The text gives orders to its reader, such as which score to give."""

    @property
    def transient(self) -> bool:
        """True for the reasons that the next run tries again."""
        return self in TRANSIENT


TRANSIENT = (CaptionReason.CALL_FAILED, CaptionReason.TIMEOUT, CaptionReason.BAD_RESPONSE)


@dataclass(frozen=True)
class ParsedCaption:
    """A caption, or the reason why there is none: exactly one of `text` and `reason` is set.

    Attributes:
        text: the caption on one line, without labels or quotes around it.
        reason: why there is no caption.
        detail: explanation for a person: the words that a pattern matched and the text around them
            (at most 500 characters); empty for a caption.
        words: number of words of the caption, or of the rejected text.
    """

    text: str | None
    reason: CaptionReason | None
    detail: str = ""
    words: int = 0


def parse_caption(reply: ChatReply, rule: LengthRule, role: str = "") -> ParsedCaption:
    """Clean a reply's text and screen it (paper, caption synthesis).

    Refusals, persona talk and texts that are merely too short get different reasons, so that the
    counts by reason show what to do.

    Args:
        reply: the engine's reply.
        rule: bounds of the length kind asked for, in words.
        role: the role's name, for labels and persona talk.
    """
    if reply.text is None:
        reason = CaptionReason(str(reply.reason))
        return ParsedCaption(None, reason, reply.detail[:MAX_DETAIL_CHARS])
    text = clean(reply.text, role)
    words = len(text.split())
    if not text:
        return ParsedCaption(None, CaptionReason.EMPTY)
    if turned_down := _screen(text, words, rule, role):
        reason, caught = turned_down
        return ParsedCaption(None, reason, f"{caught}: {text}"[:MAX_DETAIL_CHARS], words)
    return ParsedCaption(text, None, "", words)


def _screen(text: str, words: int, rule: LengthRule, role: str) -> tuple[CaptionReason, str] | None:
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
    if words < rule.min_words:
        return CaptionReason.TOO_SHORT, f"{words} words of at least {rule.min_words}"
    if words > rule.max_words:
        return CaptionReason.TOO_LONG, f"{words} words of at most {rule.max_words}"
    return None
