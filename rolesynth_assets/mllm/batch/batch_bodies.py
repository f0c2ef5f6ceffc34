"""Bodies of requests for a Batch API and replies from its answers, as without batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rolesynth_assets.mllm.batch.answer_lines import AnswerLine
from rolesynth_assets.mllm.control_tokens import restored_reply
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, Learned
from rolesynth_assets.mllm.messages import MessageBuilder
from rolesynth_assets.mllm.openai.call import ChatCaller, read_reply
from rolesynth_assets.mllm.openai.dialect import Dialect
from rolesynth_assets.mllm.openai.faults import RetryableFault
from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.request_body import request_body
from rolesynth_assets.mllm.openai.server_error import ServerError
from rolesynth_assets.mllm.settings import EngineSettings

_NOT_IN_BATCHES = ("stream", "stream_options")


class BatchBodies:
    """Writes requests and reads answers for one model at one server."""

    def __init__(
        self,
        settings: EngineSettings,
        model: str,
        endpoint: Endpoint,
        caller: ChatCaller,
        messages: MessageBuilder,
    ) -> None:
        """Share what the engine's own calls learn of the server.

        Args:
            settings: the engine's.
            model: name of the model at the server.
            endpoint: the server.
            caller: the engine's caller, which learns and reads answers.
            messages: the engine's maker of messages.
        """
        self._settings, self._model, self._endpoint = settings, model, endpoint
        self._caller, self._messages = caller, messages

    @property
    def learned(self) -> Learned:
        """What is known of the server now."""
        return self._caller.dialect.learned

    def heard(self) -> None:
        """Note that a request was answered."""
        self._caller.heard()

    def body(self, request: ChatRequest) -> bytes:
        """Return the bytes of a request's body.

        Raises:
            UnreadableImageError: its image cannot be decoded.
        """
        dialect = self._caller.dialect
        turns = dialect.messages(self._messages.build(request))
        return request_body(self._fields(dialect, request), turns)

    def reply(self, learned: Learned, request: ChatRequest, line: AnswerLine) -> ChatReply:
        """Return the reply that a line of answers is.

        Args:
            learned: what was known when the request was written.
            request: the request, without its image.
            line: the line.
        """
        sent = self.sent(learned, request)
        try:
            reply = read_reply(self._endpoint, request, line.value, line.body, sent)
        except RetryableFault as fault:
            reply = ChatReply(request.key, None, fault.reason, fault.detail, sent=sent)
        return restored_reply(reply, request)

    def sent(self, learned: Learned, request: ChatRequest) -> Mapping[str, Any]:
        """Return the fields with which a request was sent, as a row keeps them."""
        dialect, fields, turns = self._as_sent(learned, request)
        return dialect.sent(fields, turns)

    def learn(self, learned: Learned, request: ChatRequest, error: ServerError) -> bool:
        """Learn from an error what the server takes; return whether to send the request again.

        Raises:
            EngineError: see `ChatCaller.learn`.
        """
        _, fields, turns = self._as_sent(learned, request)
        return self._caller.learn(error, fields, turns)

    def _as_sent(
        self, learned: Learned, request: ChatRequest
    ) -> tuple[Dialect, dict[str, Any], list[dict[str, Any]]]:
        dialect = Dialect(self._settings.model_copy(update={"learned": learned}))
        turns = dialect.messages(self._messages.build(replace(request, images=())))
        return dialect, self._fields(dialect, request), turns

    def _fields(self, dialect: Dialect, request: ChatRequest) -> dict[str, Any]:
        fields = dialect.fields(self._model, request)
        return {name: value for name, value in fields.items() if name not in _NOT_IN_BATCHES}
