"""Rows of one partition that are asked for in batches, and how long their run waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, cast

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, EngineError
from rolesynth_assets.mllm.rows.batch_ledger import Ledger, known_ledger

_SUBMIT_ONLY: ContextVar[bool] = ContextVar("submit_only", default=False)


class BatchesOpenError(RuntimeError):
    """A partition's batches are not answered yet, and the run does not wait for them."""


@dataclass(frozen=True)
class BatchWork:
    """The missing rows of one partition.

    Attributes:
        data_root: where the ledger is.
        table: table of the rows.
        place: the partition, as the journal of replies names it.
        partition: the partition in words.
        keys: keys of the wanted requests, those of an image one after another.
        requests: makes the requests of some keys, one after another; it leaves out what is no
            longer wanted.
        bare: makes the request of a key without its image, by which a reply is read.
        keep: makes all replies that were yielded durable.
    """

    data_root: DataPath | str
    table: str
    place: str
    partition: Mapping[str, str]
    keys: Sequence[str]
    requests: Callable[[Sequence[str]], Iterator[ChatRequest]]
    bare: Callable[[str], ChatRequest]
    keep: Callable[[], None]


class BatchEngine(Protocol):
    """An engine that answers rows through batches; `complete` answers at once."""

    def through_batches(self, work: BatchWork) -> AsyncGenerator[ChatReply, None]:
        """Yield a reply for each wanted request, in any order.

        Raises:
            BatchesOpenError: not all batches are answered, inside `submitting_only`.
            EngineError: the server refuses a batch, or can serve no request.
            JournalError: the ledger cannot be written.
        """
        ...


def as_batch_engine(engine: ChatEngine) -> BatchEngine | None:
    """Return an engine that takes batches; None if it answers at once."""
    return cast(BatchEngine, engine) if getattr(engine, "takes_batches", False) else None


@contextmanager
def submitting_only() -> Iterator[None]:
    """Let runs inside this context submit and collect batches, without waiting for any."""
    token = _SUBMIT_ONLY.set(True)
    try:
        yield
    finally:
        _SUBMIT_ONLY.reset(token)


def waits() -> bool:
    """Return whether a run waits for its batches."""
    return not _SUBMIT_ONLY.get()


def submitted_keys(data_root: DataPath | str, table: str, place: str) -> set[str]:
    """Return the keys of a partition's requests that are in open batches."""
    if (path := known_ledger(data_root, table)) is None:
        return set()
    with Ledger(path) as ledger:
        return ledger.keys_of(place)


def has_batches(data_root: DataPath | str, table: str, place: str) -> bool:
    """Return whether a partition has open batches."""
    if (path := known_ledger(data_root, table)) is None:
        return False
    with Ledger(path) as ledger:
        return bool(ledger.batches(place))


def refuse_submitted(
    data_root: DataPath | str, table: str, place: str, keys: Collection[str]
) -> None:
    """Refuse to ask at once what is paid for in an open batch.

    Raises:
        EngineError: one of the keys is in an open batch.
    """
    if (path := known_ledger(data_root, table)) is None:
        return
    with Ledger(path) as ledger:
        held = [batch for batch in ledger.batches(place) if ledger.keys(batch.name) & set(keys)]
    if held:
        ids = ", ".join(batch.shown_id for batch in held)
        raise EngineError(
            f"{table} {' '.join(held[0].partition.values())}: {len(held)} open batches at "
            f"{held[0].base_url} hold these requests ({ids}), which would be paid twice. Go on "
            "with the engine openai-batch, which collects them, or run `rolesynth batches forget "
            "ID` for each, and cancel it before if it is not to be paid."
        )
