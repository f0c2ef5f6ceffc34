"""Reasons why there is no caption, and the version of the rules that find them; quick to load."""

from enum import StrEnum

RULES_VERSION = "5"
"""Raise it with any change of the cleaning rules or the screens: stored replies are read again."""


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
    SEVERAL = "several"
    """Several captions in one reply, or a list, and nothing says which one is meant."""
    LANGUAGE = "language"
    """The text is in another language than the role set's."""
    LINK = "link"
    """An address, or Markdown that a page would load."""
    ORDER = "order"
    """The text gives orders to its reader, such as which score to give."""

    @property
    def transient(self) -> bool:
        """True for the reasons that the next run tries again."""
        return self in TRANSIENT


TRANSIENT = (CaptionReason.CALL_FAILED, CaptionReason.TIMEOUT, CaptionReason.BAD_RESPONSE)
