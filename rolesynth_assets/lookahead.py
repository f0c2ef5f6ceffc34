"""Doing slow things a few at a time and having their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[Result]:
    """Map `function` over `items` in threads, and hold no more than `at_once` results.

    Args:
        function: Called in a thread; what it raises is raised here, in its item's place.
        items: Taken as they are needed.
        at_once: Calls under way, or done and waiting for their turn.

    Yields:
        The results in the order of the items.
    """
    window: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                if len(window) == at_once:
                    yield window.popleft().result()
                window.append(pool.submit(function, item))
            while window:
                yield window.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
