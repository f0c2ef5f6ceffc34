"""Progress of long work: domain code calls back, and the caller decides what is shown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar

Report = Callable[[int, int], None]
"""A callback with (done, total); a total of 0 means that the total is not known."""

LOG_EVERY_S = 10.0


def log_reporter(label: str) -> Report:
    """Return a reporter that logs count, share and rate every ten seconds and at the end."""
    logger = logging.getLogger("rolesynth")
    began = last = time.monotonic()
    first: int | None = None

    def report(done: int, total: int) -> None:
        nonlocal last, first
        first = done if first is None else first
        now = time.monotonic()
        if now - last < LOG_EVERY_S and done != total:
            return
        last = now
        rate = (done - first) / max(now - began, 1e-9)
        of = f"/{total} ({done / total:.0%})" if total else ""
        logger.info("%s: %d%s, %.1f a second", label, done, of, rate)

    return report


reporter: ContextVar[Callable[[str], Report]] = ContextVar("reporter", default=log_reporter)
"""Creates the callback for a piece of work from its label; the command line shows bars."""


def reporting(label: str) -> Report:
    """Return the callback for one piece of work, as the caller has chosen in `reporter`."""
    return reporter.get()(label)
