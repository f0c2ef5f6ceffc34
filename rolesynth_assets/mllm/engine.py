"""The interface between the package and a model that reads or writes text.

The message layout is part of the design: one shared system prompt, the image first, the role's
text last, and all requests of an image one after the other. A server can then reuse the image's
preprocessing, vision-encoder output and prefix blocks across roles.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any, Literal, Protocol, runtime_checkable

from rolesynth_assets.store.digests import digest


class EngineError(RuntimeError):
    """The engine cannot serve any request: wrong key, unknown model, no server, missing extra.

    It is raised at once, instead of one failed reply per request; the message gives the way out.
    """


class FailureReason(StrEnum):
    """Why a request has no text."""

    CALL_FAILED = "call_failed"
    """Transport or server error after all retries."""
    TIMEOUT = "timeout"
    """No complete answer within the time limit, after all retries."""
    BAD_RESPONSE = "bad_response"
    """The server's answer is not a chat completion."""
    TRUNCATED = "truncated"
    """The text hit the token limit; the truncated text is in the reply's detail."""
    REFUSED = "refused"
    """The model or the server's content filter refused to answer."""
    EMPTY = "empty"
    """The model answered nothing but white space."""
    REJECTED = "rejected"
    """The server rejected this request (400, 413, 422), for example for its size or content."""
    OVERSIZED = "oversized"
    """The answer has more bytes than the limit; the rest was not read."""

    @property
    def transient(self) -> bool:
        """True for the reasons that the next run tries again."""
        return self in (
            FailureReason.CALL_FAILED,
            FailureReason.TIMEOUT,
            FailureReason.BAD_RESPONSE,
        )


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of a request; `temperature` 0 is greedy decoding."""

    temperature: float
    top_p: float
    max_tokens: int

    def fingerprint(self) -> str:
        """Return the sha256 hex digest of the three values, equal for 0 and 0.0."""
        return digest(
            "sampling", repr(float(self.temperature)), repr(float(self.top_p)), int(self.max_tokens)
        )


@dataclass(frozen=True)
class Turn:
    """One earlier turn of a dialogue."""

    speaker: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class ChatRequest:
    """One request to a model; the reply has the same `key`.

    The model reads `system`, then `history`, then one user message: `images` (encoded bytes of
    PNG, JPEG or WebP) first and `prompt` after them. `json_mode` restricts the model to exactly one
    JSON object, if the engine supports that; the prompt asks for one in any case. An engine that
    sends requests asks `wanted` before each attempt, and does not send a request that is no longer
    wanted.
    """

    key: str
    system: str
    prompt: str
    sampling: Sampling
    seed: int
    images: tuple[bytes, ...] = ()
    history: tuple[Turn, ...] = ()
    json_mode: bool = False
    wanted: Callable[[], bool] = field(default=lambda: True, compare=False, repr=False)


@dataclass(frozen=True)
class ChatReply:
    """One reply: exactly one of `text` and `reason` is set.

    `detail` explains a reason in words; a truncated reply has its text there. `latency_s` is the
    time in seconds of the attempt that gave the answer, without earlier attempts and waits.
    `neutralised` is the number of control tokens in the request's texts that were put into neutral
    form before a server read them (`control_tokens`). `answered_by` and `system_fingerprint` are
    what a server says of the model that answered; empty if it says nothing. `sent` has the fields
    that were sent beside the messages, by their names on the wire; empty if the engine sent exactly
    the request's own sampling.
    """

    key: str
    text: str | None
    reason: FailureReason | None
    detail: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    neutralised: int = 0
    answered_by: str = ""
    system_fingerprint: str = ""
    sent: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.text is None) == (self.reason is None):
            raise ValueError(
                f"reply {self.key!r}: exactly one of text and reason must be set, "
                f"got text={self.text!r} and reason={self.reason!r}"
            )


@dataclass(frozen=True)
class ModelIdentity:
    """The identity of a model; `stand_in` marks an embedded model that replaces a real one."""

    engine: str
    model: str
    revision: str
    stand_in: bool = False

    def fingerprint(self) -> str:
        """Return the sha256 hex digest of model and revision.

        The engine is not part of it: the same weights write the same captions in any engine.
        """
        return digest("model", self.model, self.revision)


@dataclass(frozen=True)
class Learned:
    """What one model at one server was found to do and to refuse.

    Attributes:
        answered_by: the model that the server says has answered.
        left_out: request fields that the server refuses, sorted; they are not sent.
        limit_field: the server's name of the token limit.
        streams: whether the server only answers with a stream of events.
        folds_system: whether the system text goes into the first user message, because the model
            has no system role.
    """

    answered_by: str = ""
    left_out: tuple[str, ...] = ()
    limit_field: str = "max_tokens"
    streams: bool = False
    folds_system: bool = False

    @property
    def revision_suffix(self) -> str:
        """Suffix of the revision; empty if nothing that was learned changes the answers.

        A refused seed changes which answer is drawn and not how; the others change no answer.
        """
        changing = [name for name in self.left_out if name not in _WITHOUT_EFFECT]
        suffix = f"+without.{'.'.join(changing)}" if changing else ""
        return suffix + ("+system-in-user" if self.folds_system else "")


Changed = Callable[[Learned, Learned, bool], EngineError]
"""Makes an error of what was known, what is known now, and whether requests were answered."""
_WITHOUT_EFFECT = ("seed", "response_format", "stream_options")


class ChatEngine(Protocol):
    """A model that answers chat requests, in process or on a server."""

    @property
    def identity(self) -> ModelIdentity:
        """The model's name and revision, fixed for the engine's life."""
        ...

    def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        """Yield one reply per request, in any order.

        `requests` is consumed lazily with a bounded look-ahead, so that images are loaded when they
        are needed; all requests of an image must be consecutive.

        Raises:
            EngineError: no request can succeed (wrong key, unknown model, no server).
        """
        ...

    async def aclose(self) -> None:
        """Close connections and cancel calls in flight; safe to call twice."""
        ...


@runtime_checkable
class LearningEngine(Protocol):
    """An engine that learns from a server's errors what it has to send."""

    @property
    def learned(self) -> Learned:
        """What it knows now, without `answered_by`."""
        ...

    def settle(self, changed: Changed | None = None) -> None:
        """Make what was learned part of `identity`; only before requests whose rows it names.

        Args:
            changed: makes the error that is raised if the server refuses more from now on, so that
                the identity would no longer name the answers; None goes on in that case.
        """
        ...


LOADING = Lock()
"""Lock held while a model is loaded. transformers imports its modules lazily and patches torch, so
one of two concurrent threads could find a partly imported module or corrupt the other's model."""
