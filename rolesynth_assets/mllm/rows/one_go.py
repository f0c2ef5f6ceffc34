"""One go of a command, in which no row is asked again twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ASKED: ContextVar[set[str] | None] = ContextVar("asked_again", default=None)


@contextmanager
def one_go() -> Iterator[None]:
    """Ask no row again twice inside this context, in however many partitions it is wanted."""
    token = _ASKED.set(set())
    try:
        yield
    finally:
        _ASKED.reset(token)


def note(keys: Collection[str]) -> None:
    """Note the keys of rows that are asked now."""
    if (asked := _ASKED.get()) is not None:
        asked.update(keys)


def note_unanswered(keys: Collection[str]) -> None:
    """Note that rows still wait for the answer to what was asked."""
    if (asked := _ASKED.get()) is not None:
        asked.difference_update(keys)


def asked_before(keys: Collection[str]) -> list[str]:
    """Return those keys of rows that were asked in this go, sorted."""
    return sorted((_ASKED.get() or set()).intersection(keys))
