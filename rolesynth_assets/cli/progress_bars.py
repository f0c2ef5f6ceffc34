"""Progress bars with counts and rates on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rolesynth_assets.progress import Besides, Pace, Progress, Reporter

PLAIN_EVERY_S = 5.0
"""Seconds between two lines of one piece of work without a terminal."""

BAR_EVERY_S = 0.1
"""Seconds between two updates of a bar; a thousand replies may come in one."""


@contextmanager
def bars() -> Iterator[Reporter]:
    """Yield a maker of progress callbacks; each label is one bar, or one series of lines."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as progress:
        shown: dict[str, int] = {}

        def make(label: str, besides: Besides | None = None) -> Progress:
            if label not in shown:
                shown[label] = int(progress.add_task(label, total=None, rate=""))
            task, pace, last = shown[label], Pace(besides), 0.0

            def report(done: int, total: int) -> None:
                nonlocal last
                pace.note(done)
                now = time.monotonic()
                if now - last < BAR_EVERY_S and done != total:
                    return
                last = now
                progress.update(
                    task,  # type: ignore[arg-type]
                    completed=done,
                    total=total or None,
                    rate=pace.said(done, total),
                )

            return report

        yield make


@contextmanager
def reported_bars() -> Iterator[Reporter]:
    """Yield what `bars` yields, and let all work inside report there."""
    from rolesynth_assets import progress

    with bars() as reporting:
        token = progress.reporter.set(reporting)
        try:
            yield reporting
        finally:
            progress.reporter.reset(token)


def _plain(label: str, besides: Besides | None = None) -> Progress:
    pace, last = Pace(besides), 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        pace.note(done)
        now = time.monotonic()
        if not total or (done < total and now - last < PLAIN_EVERY_S):
            return
        last = now
        said = pace.said(done, total)
        print(f"{label}: {done}/{total}" + (f", {said}" if said else ""), flush=True)

    return report
