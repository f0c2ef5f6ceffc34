"""Progress of long work: domain code calls back, and the caller decides what is shown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with (done, total); a total of 0 means that it is not known."""

StepProgress = Callable[[int, int, float], None]
"""Called with (step, steps, loss or reward) of a training."""

Besides = Callable[[], str]
"""Returns what is shown after the rate, such as calls and tokens so far."""

LOG_EVERY_S = 10.0


class Pace:
    """The rate and the remaining time of a piece of work, from the counts that it reports."""

    def __init__(self, besides: Besides | None = None) -> None:
        """Begin now; what was done before the first report does not count.

        Args:
            besides: what is said after rate and time.
        """
        self._besides = besides
        self._began = time.monotonic()
        self._first: int | None = None

    def note(self, done: int) -> None:
        """Take in a report; the first one is where the work begins."""
        self._first = done if self._first is None else self._first

    def said(self, done: int, total: int) -> str:
        """Return `41.0/s, 3 min left, 1,204 calls`, as far as these are known; empty if none is."""
        made = done - (self._first or 0)
        rate = made / max(time.monotonic() - self._began, 1e-3)
        said = []
        if made:
            said.append(f"{rate:.1f}/s" if rate < 100 else f"{rate:,.0f}/s")
        if made and done < total:
            said.append(f"{in_words((total - done) / rate)} left")
        if self._besides and (besides := self._besides()):
            said.append(besides)
        return ", ".join(said)


def in_words(seconds: float) -> str:
    """Return a time as seconds, minutes or hours.

    >>> in_words(41.2), in_words(200), in_words(7300)
    ('41 s', '3 min', '2 h 2 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def log_reporter(label: str, besides: Besides | None = None) -> Progress:
    """Return a reporter that logs count, share, rate and remaining time every ten seconds.

    It logs the end, too.
    """
    logger = logging.getLogger("rolesynth")
    pace = Pace(besides)
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        pace.note(done)
        now = time.monotonic()
        if now - last < LOG_EVERY_S and done != total:
            return
        last = now
        said = pace.said(done, total)
        of = f"/{total} ({done / total:.0%})" if total else ""
        logger.info("%s: %d%s%s", label, done, of, f", {said}" if said else "")

    return report


class Reporter(Protocol):
    """Makes the reporter of a piece of work."""

    def __call__(self, label: str, besides: Besides | None = None, /) -> Progress:
        """Return a reporter.

        Args:
            label: the piece of work.
            besides: what is shown after count, rate and remaining time.
        """
        ...


reporter: ContextVar[Reporter] = ContextVar("reporter", default=log_reporter)
"""The maker in use; the command line puts bars here."""


def reporting(label: str, besides: Besides | None = None) -> Progress:
    """Return a callback for one piece of work, as whoever runs it wants to see it."""
    return reporter.get()(label, besides)
