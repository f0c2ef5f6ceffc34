"""The bound on what one archive or table unpacks to, in bytes and in seconds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rolesynth_assets.images.limits import EXPANSION_FLOOR, ContainerLimits

T = TypeVar("T")


class BombError(ValueError):
    """A file unpacks beyond the limits."""


class Expansion:
    """What reading one file has unpacked so far; the time of those who use it does not count."""

    def __init__(
        self, packed: int, limits: ContainerLimits, part: float = 1.0, stated: int = 0
    ) -> None:
        """Begin at nothing.

        Args:
            packed: size of the file, bytes; 0 where it is counted as it is read (`add_packed`).
            limits: bounds on bytes for each packed byte, and on seconds.
            part: which part of a file's rows will be read, 0 to 1; a shard has no more than its
                part of `EXPANSION_FLOOR`, since each shard of a file counts anew.
            stated: bytes that are allowed beside that part, since the bound on the file admits
                them.
        """
        self._packed, self._limits = packed, limits
        self._part, self._stated = part, stated
        self._unpacked = 0
        self._seconds = 0.0

    @property
    def allowed(self) -> float:
        """Bytes that may be unpacked."""
        by_size = self._limits.max_expansion * self._packed
        whole = max(EXPANSION_FLOOR, by_size)
        return min(whole, max(EXPANSION_FLOOR * self._part, by_size) + self._stated)

    def add_packed(self, size: int) -> None:
        """Count bytes that were read of a file which is read from its beginning to its end."""
        self._packed += size

    def add(self, size: int) -> None:
        """Count unpacked bytes, whether they are used or end as a reject.

        Raises:
            BombError: the file has unpacked too many.
        """
        self._unpacked += size
        if self._unpacked > self.allowed:
            raise BombError(self.text(self._unpacked))

    def text(self, unpacked: int) -> str:
        """Say that the file unpacks to too many bytes."""
        return (
            f"{self._packed} bytes unpack to {unpacked} or more; the limit is "
            f"limits.container.max_expansion, {self._limits.max_expansion:g} times"
        )

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of what is done within.

        Raises:
            BombError: the file has taken too long.
        """
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - started
        if self._seconds > self._limits.max_seconds:
            raise BombError(
                f"unpacking takes more than {self._limits.max_seconds:g} s, the limit "
                "limits.container.max_seconds"
            )

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, and count the time that getting them takes.

        Raises:
            BombError: the file has taken too long.
        """
        iterator = iter(items)
        while True:
            with self.timed():
                got = list(itertools.islice(iterator, 1))
            if not got:
                return
            yield got[0]
