"""A run's sign of life, for processes on other hosts that share the instance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from rolesynth_assets.lineage.run_process.identity import HEARTBEAT

EVERY_S = 60.0
"""Seconds between two heartbeats."""


@contextmanager
def beating(instance: dg.DagsterInstance, run_id: str, every_s: float = EVERY_S) -> Iterator[None]:
    """Renew the heartbeat of a run while the block lasts.

    An instance in memory is of one process, so nobody would read it.

    Args:
        instance: where the run is recorded.
        run_id: the run.
        every_s: seconds between two of them.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every_s):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            try:
                instance.add_run_tags(run_id, {HEARTBEAT: now})
            except Exception as error:  # the database may be busy or away: the next one counts
                logging.getLogger(__name__).debug("no heartbeat of run %s: %s", run_id, error)

    thread = threading.Thread(target=beat, name=f"heartbeat {run_id[:8]}", daemon=True)
    if instance.is_persistent:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join()
