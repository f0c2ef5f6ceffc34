"""Progress bars with counts and rates on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rolesynth_assets.progress import Progress

PLAIN_EVERY_S = 5.0
"""Seconds between two lines of one piece of work without a terminal."""


@contextmanager
def bars() -> Iterator[Callable[[str], Progress]]:
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
        shown: dict[str, tuple[int, float]] = {}

        def make(label: str) -> Progress:
            if label not in shown:
                task = progress.add_task(label, total=None, rate="")
                shown[label] = (int(task), time.monotonic())
            task, began = shown[label]
            first: int | None = None

            def report(done: int, total: int) -> None:
                nonlocal first
                first = done if first is None else first
                rate = (done - first) / max(time.monotonic() - began, 1e-3)
                progress.update(
                    task,  # type: ignore[arg-type]
                    completed=done,
                    total=total or None,
                    rate=f"{rate:.0f}/s" if done > first else "",
                )

            return report

        yield make


@contextmanager
def reported_bars() -> Iterator[Callable[[str], Progress]]:
    """Yield what `bars` yields, and let all work inside report there."""
    from rolesynth_assets import progress

    with bars() as reporting:
        token = progress.reporter.set(reporting)
        try:
            yield reporting
        finally:
            progress.reporter.reset(token)


def _plain(label: str) -> Progress:
    began = time.monotonic()
    last = 0.0
    first: int | None = None

    def report(done: int, total: int) -> None:
        nonlocal last, first
        first = done if first is None else first
        now = time.monotonic()
        if not total or (done < total and now - last < PLAIN_EVERY_S):
            return
        last = now
        rate = (done - first) / max(now - began, 1e-3)
        print(f"{label}: {done}/{total}" + (f", {rate:.0f}/s" if done > first else ""), flush=True)

    return report
