"""Doing slow things a few at a time and having their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    at_once: int,
    *,
    threads: int | None = None,
) -> Generator[Result, None, None]:
    """Map `function` over `items` in threads, and hold no more than `at_once` results.

    Args:
        function: Called in a thread; what it raises is raised here, in its item's place.
        items: Taken as they are needed.
        at_once: Calls under way, or done and waiting for their turn.
        threads: Calls under way at one time; `at_once` if not given. With one thread and two at
            once, the next result is made while the caller works on the present one.

    Yields:
        The results in the order of the items.
    """
    window: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads or at_once, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                if len(window) == at_once:
                    yield window.popleft().result()
                window.append(pool.submit(function, item))
            while window:
                yield window.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
