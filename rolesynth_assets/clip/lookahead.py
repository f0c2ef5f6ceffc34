"""Making the next input while the present one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_ahead(make: Callable[[int], T], steps: range) -> Generator[T, None, None]:
    """Yield ``make(step)`` for each step in order, made in a second thread one step early.

    An exception of ``make`` is raised where its value would have been yielded.
    """
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make, steps[0]) if steps else None
        for following in steps[1:]:
            assert upcoming is not None
            ready, upcoming = upcoming.result(), pool.submit(make, following)
            yield ready
        if upcoming is not None:
            yield upcoming.result()
