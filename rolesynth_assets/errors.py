"""The error for bad input, which a user can correct, as opposed to faults of the program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeVar

ValueT = TypeVar("ValueT")
_log = logging.getLogger(__name__)


class InputError(ValueError):
    """A user's file or setting cannot be used; the message names it and the way out."""


def digests_or_faults(
    values: Mapping[str, ValueT], digest: Callable[[ValueT], str]
) -> dict[str, str]:
    """Return the digest of each value; one that cannot be read is logged, and stops no other.

    In place of its digest it has one of its fault, so that what was made from it becomes stale, is
    made again, and fails with the reason.

    Args:
        values: by name.
        digest: raises ValueError or OSError for a value that cannot be read.
    """
    digests = {}
    for name, value in values.items():
        try:
            digests[name] = digest(value)
        except (ValueError, OSError) as error:
            _log.warning("Skipped: %s: %s", name, error)
            digests[name] = digest_of_fault(error)
    return digests


def digest_of_fault(error: Exception) -> str:
    """Return what takes the place of the digest of something that cannot be used."""
    return f"unusable-{sha256(str(error).encode()).hexdigest()[:16]}"
