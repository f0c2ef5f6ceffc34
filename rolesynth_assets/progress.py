"""Progress of long work: domain code calls back, and the caller decides what is shown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Called with (done, total); a total of 0 means that it is not known."""

StepProgress = Callable[[int, int, float], None]
"""Called with (step, steps, loss or reward) of a training."""

LOG_EVERY_S = 10.0


def log_reporter(label: str) -> Progress:
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


reporter: ContextVar[Callable[[str], Progress]] = ContextVar("reporter", default=log_reporter)
"""Makes the reporter of a piece of work from its label; the command line puts bars here."""


def reporting(label: str) -> Progress:
    """Return a callback for one piece of work, as whoever runs it wants to see it."""
    return reporter.get()(label)
