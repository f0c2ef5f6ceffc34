"""The revision of the weights that a server serves, from its answer to GET /models."""

import asyncio
import re
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.openai.faults import (
    FaultReader,
    RejectedFault,
    RetryableFault,
    UnreachableError,
)
from rolesynth_assets.mllm.openai.retries import Backoff, retried
from rolesynth_assets.mllm.openai.server_error import error_of
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Connection

UNKNOWN_REVISION = "unknown"

_SNAPSHOT = re.compile(r"snapshots/([0-9a-f]{40})(?:/|$)")


T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """What a server says of a model.

    Attributes:
        listed: whether it lists the model's name; None if it lists no models at all.
        revision: the revision of the weights; "unknown" if it does not say.
    """

    listed: bool | None
    revision: str


_UNSAID = Served(None, UNKNOWN_REVISION)


class _Card(BaseModel):
    id: str
    root: str | None = None


class _Cards(BaseModel):
    data: list[_Card]


def cached_commit(path: str) -> str | None:
    """Return the commit in the path of a Hugging Face cache folder, or None."""
    snapshot = _SNAPSHOT.search(path)
    return snapshot.group(1) if snapshot else None


def revision_of(model: str, root: str | None) -> str:
    """Reduce a server's description of a model to a revision that survives its restarts.

    vLLM's `root` is the model's id or folder, which identifies the model of an alias. The path of a
    Hugging Face cache folder contains the commit, which is the same on every machine. `created` is
    not used, because vLLM sets it to the time of its start. A `root` equal to the name adds
    nothing.
    """
    if not root or root == model:
        return UNKNOWN_REVISION
    return cached_commit(root) or root


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own, whether or not this one has a loop.

    Only asynchronous work has a total time limit: a blocking client's limit is per read, which a
    server that sends bytes slowly never exceeds.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(asyncio.run(work))
        except BaseException as error:
            result.set_exception(error)

    Thread(target=run, name="ask-models", daemon=True).start()
    return result.result()


async def ask_served(
    connection: Connection, model: str, faults: FaultReader, backoff: Backoff, max_retries: int
) -> Served:
    """Ask a server what it says of a model.

    A transient fault does not give "unknown": the revision is part of every row's identity and must
    not depend on a momentary state of the server.

    Raises:
        EngineError: wrong key, no server, or no usable answer after all retries.
    """
    try:
        return await retried(lambda: _ask_once(connection, model, faults), max_retries, backoff)
    except RetryableFault as fault:
        detail = fault.detail
    raise UnreachableError(
        f"{faults.base_url} does not report which models it serves ({detail}). Try again when it "
        f"does, or set {faults.names.revision} yourself: it is part of every caption's identity."
    )


async def _ask_once(connection: Connection, model: str, faults: FaultReader) -> Served:
    body = b""
    fault: Exception | None = None
    try:
        answer = await connection.get("/models")
    except FAILED as error:
        fault = faults.read(error)
    else:
        if answer.status == 404:
            return _UNSAID  # a server without /models
        body = answer.body
        fault = faults.of_server(error_of(answer)) if answer.is_error else None
    if isinstance(fault, RejectedFault):
        return _UNSAID
    if isinstance(fault, RetryableFault):
        if fault.unreachable:
            raise faults.unreachable(fault.detail)
        if fault.reason is FailureReason.BAD_RESPONSE:
            return _UNSAID  # such as 405: the server has no such endpoint
    if fault is not None:
        raise fault
    try:
        cards = _Cards.model_validate_json(body).data
    except ValidationError:
        raise faults.senseless("list of models", body) from None
    roots = [card.root for card in cards if card.id == model]
    return Served(bool(roots), revision_of(model, roots[0]) if roots else UNKNOWN_REVISION)
