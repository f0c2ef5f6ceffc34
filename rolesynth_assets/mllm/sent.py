"""What was sent for a row, and which model answered it."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from dataclasses import asdict

from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, LearningEngine, Sampling
from rolesynth_assets.mllm.settings import TOKEN_LIMITS

_VERSION = re.compile(r"[-@:_](\d{3,}[\d.\-_]*|latest)")
"""A date or a number of a build; `-mini` and `.1` are other models."""


def sent_columns(reply: ChatReply, sampling: Sampling, seed: int) -> dict[str, object]:
    """Return the columns of a row that say what was sent and who answered.

    Args:
        reply: the reply of which the row is made.
        sampling: sampling of the request, which an engine without a server sends as it is.
        seed: seed of the request.

    Returns:
        The sampling and seed, each None where it was left to the server; `sent`, all fields as
        JSON; `answered_by` and `system_fingerprint`, None where the server does not say.
    """
    sent = dict(reply.sent) or {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": seed,
    }
    limits = [sent[name] for name in TOKEN_LIMITS if name in sent]
    return {
        "temperature": sent.get("temperature"),
        "top_p": sent.get("top_p"),
        "max_tokens": limits[0] if limits else None,
        "seed": sent.get("seed"),
        "sent": json.dumps(sent, sort_keys=True, default=str),
        "answered_by": reply.answered_by or None,
        "system_fingerprint": reply.system_fingerprint or None,
    }


def same_model(asked: str, answered: str) -> bool:
    """Return whether an answering model is the one that was asked, or a dated version of it.

    >>> same_model("gpt-4o", "openai/gpt-4o-2024-08-06"), same_model("gpt-4o", "gpt-4o-mini")
    (True, False)
    """
    bare, other = sorted((_bare(asked), _bare(answered)), key=len)
    if not bare or not other.startswith(bare):
        return False
    return other == bare or bool(_VERSION.fullmatch(other, len(bare)))


def _bare(name: str) -> str:
    """Return a model's name without a provider or folder before it and `-latest` after it."""
    return name.strip().rstrip("/").lower().rpartition("/")[2].removesuffix("-latest")


class Answering:
    """Counts replies by the model that the server names as their author."""

    def __init__(self, asked: str) -> None:
        """Count from zero; `asked` is the model's name in the requests."""
        self._asked = asked
        self._counts: Counter[str] = Counter()

    def note(self, reply: ChatReply) -> None:
        """Count one reply; a reply whose author the server does not name is not counted."""
        if reply.answered_by:
            self._counts[reply.answered_by] += 1

    @property
    def other_model(self) -> int:
        """Replies of another model than the one that was asked."""
        return sum(self._others.values())

    def metadata(self, engine: ChatEngine) -> dict[str, object]:
        """Return what a page shows: authors of replies, and what the server does and refuses."""
        shown: dict[str, object] = {"other_model": self.other_model}
        if self._counts:
            shown["answered_by"] = dict(self._counts.most_common())
        if isinstance(engine, LearningEngine):
            learned = {k: v for k, v in asdict(engine.learned).items() if v and v != "max_tokens"}
            if learned:
                shown["server"] = learned
        return shown

    def warn(self, server: str) -> None:
        """Log a warning if another model has answered.

        Args:
            server: name of the work, for the log.
        """
        if others := self._others:
            named = ", ".join(f"{name} ({count:,} replies)" for name, count in others.items())
            logging.getLogger("rolesynth").warning(
                "%s: asked for model %s, answered by %s", server, self._asked, named
            )

    @property
    def _others(self) -> dict[str, int]:
        counts = self._counts.most_common()
        return {name: count for name, count in counts if not same_model(self._asked, name)}
