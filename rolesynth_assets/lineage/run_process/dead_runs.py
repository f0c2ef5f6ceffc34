"""Runs whose process was killed: they are ended, so that they hold no slot and hide nothing.

Dagster calls such a run STARTED for ever. It then fills `max_concurrent_runs`, holds its pool, and
its partitions look as if they were under way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from rolesynth_assets.lineage.run_process.identity import death

KILLED = "rolesynth/killed"
"""Tag of a run that was ended because its process was gone."""
BEGUN = "rolesynth/begun_when_killed"
"""Tag of such a run with the steps that had begun, joined by spaces; they are named as assets."""
_OPEN = [
    dg.DagsterRunStatus.NOT_STARTED,  # in process: it is started at once, or was killed before
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class DeadRun:
    """A run that was ended.

    Attributes:
        run_id: its id.
        why: how it is known that its process is gone.
        steps: what it was making.
    """

    run_id: str
    why: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        making = f", which was making {', '.join(self.steps)}" if self.steps else ""
        return (
            f"Run {self.run_id[:8]}{making}, was killed: {self.why}. It is ended as failed, and "
            "what it had begun is stale."
        )


def dead_runs(
    instance: dg.DagsterInstance, now: datetime | None = None
) -> list[tuple[dg.DagsterRun, str]]:
    """Return the runs whose process is gone, each with how that is known; nothing is changed.

    Args:
        instance: where the runs are recorded.
        now: the present, UTC.
    """
    return [
        (run, why)
        for run in instance.get_runs(dg.RunsFilter(statuses=_OPEN))
        if (why := death(run.tags, now))
    ]


def end_dead_runs(instance: dg.DagsterInstance, now: datetime | None = None) -> list[DeadRun]:
    """End the runs whose process is gone as failed, and free what they held.

    Args:
        instance: where the runs are recorded.
        now: the present, UTC.
    """
    return [_end(instance, run, why) for run, why in dead_runs(instance, now)]


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> DeadRun:
    begun = _begun(instance, run)
    instance.add_run_tags(run.run_id, {KILLED: "yes", BEGUN: " ".join(begun)})
    dead = DeadRun(run.run_id, why, begun)
    instance.report_run_failed(run, str(dead))
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return dead


def _begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, ...]:
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
    return tuple(sorted({entry.step_key for entry in logs if entry.step_key}))


def killed_runs(instance: dg.DagsterInstance) -> Mapping[str, Collection[str]]:
    """Return the steps that had begun of each killed run, by its id."""
    return {
        run.run_id: run.tags.get(BEGUN, "").split()
        for run in instance.get_runs(dg.RunsFilter(tags={KILLED: "yes"}))
    }
