"""A threaded map with a bounded number of calls, whose results come in order."""

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
    """Map `function` over `items` in threads, with at most `at_once` results in memory.

    Args:
        function: called in a thread; its exception is raised here, at the item's turn.
        items: consumed as they are needed.
        at_once: most calls that are running, or finished and waiting for their turn.
        threads: most calls that run at the same time; `at_once` by default. With one thread and
            ``at_once=2``, the next result is computed while the caller works on the current one.

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
