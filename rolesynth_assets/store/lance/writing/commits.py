"""Commits that others overtook are made again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.lance.datasets import AlreadyThereError

T = TypeVar("T")

PATIENCE_S = 120.0
LONGEST_PAUSE_S = 2.0  # seconds between two tries
_OVERTAKEN = re.compile(
    r"commit conflict|conflicting (transaction|commit)|concurrent(ly)? (writers|committed|commit)|"
    r"retryable|preempted by concurrent|please retry",
    re.IGNORECASE,
)


def committed(table: str, write: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Call `write` until Lance commits, with pauses of random length.

    Lance itself repeats what it can put on top of the other commit. What is left for us begins
    again with the latest version.

    Args:
        table: name of the table, for the message.
        write: opens the table at its latest version, writes and commits; a second call must be
            right whatever the first one has committed.
        patience_s: longest time to try, s.

    Raises:
        StoreError: others committed first all the time.
    """
    from tenacity import (
        RetryError,
        Retrying,
        retry_if_exception,
        stop_after_delay,
        wait_random_exponential,
    )

    tries = Retrying(
        retry=retry_if_exception(is_overtaken),
        stop=stop_after_delay(patience_s),
        wait=wait_random_exponential(multiplier=0.05, max=LONGEST_PAUSE_S),
    )
    try:
        return tries(write)
    except RetryError as error:
        raise StoreError(
            f"Table {table!r}: others have committed first for {patience_s:.0f} s. Run this again "
            "when fewer processes write to it."
        ) from error


def is_overtaken(error: BaseException) -> bool:
    """Whether a commit failed because somebody else had committed, perhaps the first version."""
    from lance.commit import CommitConflictError

    if isinstance(error, (CommitConflictError, AlreadyThereError)):
        return True
    return isinstance(error, (OSError, RuntimeError, ValueError)) and bool(
        _OVERTAKEN.search(str(error))
    )
