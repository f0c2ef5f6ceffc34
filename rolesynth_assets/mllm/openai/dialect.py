"""What one model at one server takes, learned from its errors: fields, stream, system role."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Learned
from rolesynth_assets.mllm.openai.refusals import (
    refused_field,
    refuses_zero,
    wants_stream,
    wants_user,
)
from rolesynth_assets.mllm.openai.server_error import ServerError
from rolesynth_assets.mllm.settings import TOKEN_LIMITS, EngineSettings

_LONGEST_SENT = 200
"""Characters of a sent value that a row keeps; a longer one, such as a JSON schema, is cut."""

GREEDY = "temperature=0"
"""What is left out at a server that takes only temperatures above zero: its default is greedy or
its own; other temperatures are sent."""

_log = logging.getLogger("rolesynth")


class Dialect:
    """Builds the body of each request as the server takes it, and learns from refusals."""

    def __init__(self, settings: EngineSettings) -> None:
        """Begin with what is known of the model from earlier runs."""
        known = settings.learned
        self._settings = settings
        self._left_out = set(known.left_out)
        self._limit_field = known.limit_field
        self._renamed = known.limit_field != TOKEN_LIMITS[0]
        self._streams, self._folds_system = known.streams, known.folds_system

    @property
    def learned(self) -> Learned:
        """What is known now."""
        return Learned(
            left_out=tuple(sorted(self._left_out)),
            limit_field=self._limit_field,
            streams=self._streams,
            folds_system=self._folds_system,
        )

    def fields(self, model: str, request: ChatRequest) -> dict[str, Any]:
        """Return the fields of a request beside its messages."""
        own: dict[str, Any] = {
            "model": model,
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "seed": request.seed,
            self._limit_field: request.sampling.max_tokens,
        }
        if request.json_mode:
            own["response_format"] = {"type": "json_object"}
        if self._streams:
            own |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.sampling.temperature == 0 and GREEDY in self._left_out:
            del own["temperature"]
        own = {name: value for name, value in own.items() if name not in self._left_out}
        return self._settings.with_extra(own)

    def messages(self, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the messages, with the system text in the user's if the model needs that."""
        if not self._folds_system or not messages or messages[0]["role"] != "system":
            return [dict(message) for message in messages]
        system, first, *rest = (dict(message) for message in messages)
        content = first["content"]
        if isinstance(content, str):
            first["content"] = f"{system['content']}\n\n{content}"
        else:  # pictures come first, then one text
            *pictures, text = content
            first["content"] = [
                *pictures,
                text | {"text": f"{system['content']}\n\n{text['text']}"},
            ]
        return [first, *rest]

    def sent(
        self, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return the fields that were sent, as a row keeps them."""
        kept = {name: _cut(value) for name, value in fields.items()}
        if self._folds_system and all(message["role"] != "system" for message in messages):
            kept["system"] = "in the user's text"
        return kept

    def learn(
        self, error: ServerError, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Learn from an error what the server takes; return whether to send the request again.

        Args:
            error: the server's error.
            fields: fields that were sent.
            messages: messages that were sent.

        Raises:
            EngineError: the server refuses a field that the user set.
        """
        if not fields.get("stream") and wants_stream(error):
            return self._note("it answers only as a stream", _streams=True)
        has_system = any(message["role"] == "system" for message in messages)
        if has_system and wants_user(error):
            return self._note("no system role: its text goes to the user's", _folds_system=True)
        name = refused_field(
            error, [field for field in fields if field not in ("model", "messages")]
        )
        if name is None:
            return False
        if name in self._settings.extra_body:
            names = self._settings.names
            raise EngineError(
                f"Model {fields.get('model')!r} at {self._settings.base_url} does not accept "
                f"{name}, which {names.extra_body} sets ({error}). Take it out there, or give it "
                "a value that the model accepts."
            )
        if name in TOKEN_LIMITS:
            return self._rename_limit(name, error)
        if name == "temperature" and fields[name] == 0 and refuses_zero(error):
            name = GREEDY
        if name in self._left_out:  # another request has found out in the meantime
            return True
        return self._leave_out(name, error)

    def _rename_limit(self, name: str, error: ServerError) -> bool:
        if self._limit_field != name:  # another request has found out in the meantime
            return True
        if self._renamed:
            return self._leave_out(name, error)
        self._renamed = True
        other = TOKEN_LIMITS[1 - TOKEN_LIMITS.index(name)]
        return self._note(f"the token limit is called {other} there", _limit_field=other)

    def _leave_out(self, name: str, error: ServerError) -> bool:
        self._left_out.add(name)
        return self._note(f"{name} is left out from now on, because the server refuses it: {error}")

    def _note(self, what: str, **changes: Any) -> bool:
        if all(getattr(self, name) == value for name, value in changes.items()) and changes:
            return True  # another request has found out in the meantime
        for name, value in changes.items():
            setattr(self, name, value)
        _log.warning("%s at %s: %s", self._settings.model, self._settings.base_url, what)
        return True


def _cut(value: object) -> object:
    text = str(value)
    return (
        value if len(text) <= _LONGEST_SENT else re.sub(r"\s+", " ", text[:_LONGEST_SENT]) + "..."
    )
