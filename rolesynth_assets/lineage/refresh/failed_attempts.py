"""What failed attempts took of models, which no materialization records."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from rolesynth_assets.mllm.cost.spent import Spent

PAGE = 500
"""Runs read at a time."""


def spent_in_vain(instance: dg.DagsterInstance, assets: Collection[str]) -> Spent:
    """Add up what the failed steps of some assets say that models were asked.

    Only the events of failed runs are read.

    Args:
        instance: where the runs are recorded.
        assets: names of the assets.
    """
    failed, spent, cursor = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), Spent(), None
    while runs := instance.get_runs(failed, cursor=cursor, limit=PAGE):
        spent = sum((_of_run(instance, run, assets) for run in runs), spent)
        cursor = runs[-1].run_id
    return spent


def _of_run(instance: dg.DagsterInstance, run: dg.DagsterRun, assets: Collection[str]) -> Spent:
    selected = run.asset_selection
    if selected and not {key.to_user_string() for key in selected} & set(assets):
        return Spent()
    spent = Spent()
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        if entry.step_key in assets and entry.dagster_event is not None:
            failure = entry.dagster_event.step_failure_data.user_failure_data
            if failure is not None:
                spent += Spent.recorded(failure.metadata)
    return spent
