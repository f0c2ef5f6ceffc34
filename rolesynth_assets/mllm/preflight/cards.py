"""Two plain colour cards, and whether a model that describes them has looked at them."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling

CARDS = {"red": (214, 40, 40), "blue": (30, 80, 200)}
"""Colour of each card, by name."""
SIDE = 448
"""Side of a card in pixels, sixteen patches of 28."""

_SYSTEM = "You describe pictures."
_PROMPT = "Describe this picture in one short sentence. Say which colour it has."
_PICTURE = r"(image|picture|photo|attachment|visual|file)"
_CANNOT = re.compile(
    rf"\b(can ?no?t|can't|unable to|not able to|don't|do not|does not|doesn't|didn't|did not)\b"
    rf".{{0,40}}\b(see|view|access|look|open|process|display|analy[sz]e|interpret|receive|have)\b"
    rf".{{0,40}}\b{_PICTURE}"
    rf"|\bno {_PICTURE}s? .{{0,20}}(attached|provided|included|uploaded|visible|given|received)"
    rf"|\b(provide|upload|share|attach|send|paste)\b.{{0,30}}\b{_PICTURE}"
    rf"|\btext.?(based|only) (ai|model|assistant)|\bas an? (ai|language model)\b",
    re.IGNORECASE,
)


def card_requests(sampling: Sampling) -> list[ChatRequest]:
    """Return one request a card, equal but for the picture; greedy, so that equal means unseen.

    Args:
        sampling: sampling of the work that follows, whose other settings are sent.
    """
    greedy = Sampling(0.0, sampling.top_p, sampling.max_tokens)
    return [
        ChatRequest(name, _SYSTEM, _PROMPT, greedy, seed=0, images=(colour_card(colour),))
        for name, colour in CARDS.items()
    ]


def colour_card(colour: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(buffer, "PNG")
    return buffer.getvalue()


def unseen(replies: Mapping[str, ChatReply]) -> str:
    """Return why the replies show that the model does not look at pictures; empty if they do not.

    A reply that failed for a transient reason shows nothing.

    Args:
        replies: by the name of the card.
    """
    texts: dict[str, str] = {}
    for name, reply in replies.items():
        if reply.reason is not None and reply.reason.transient:
            continue
        text = reply.text or (reply.detail if reply.reason is FailureReason.TRUNCATED else "")
        if not text:
            said = f": {reply.detail}" if reply.detail else ""
            return f"it does not describe a plain {name} card ({reply.reason}{said})"
        if _CANNOT.search(text.replace("\u2019", "'")):
            return f"it says of a plain {name} card: {_short(text)}"
        texts[name] = text
    if len(texts) > 1 and len(set(map(_plain, texts.values()))) == 1:
        said = _short(next(iter(texts.values())))
        return f"it describes a {' and a '.join(texts)} card alike: {said}"
    return ""


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else f"{line[:120]}...")
