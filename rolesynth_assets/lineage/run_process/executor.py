"""Executors that record on a run which process executes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from rolesynth_assets.lineage.run_process.heartbeat import beating
from rolesynth_assets.lineage.run_process.identity import process_tags


class RecordedExecutor(dg.Executor):
    """Does what another executor does, after it has put this process on the run's tags."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> Any:
        """The other executor's mode of retries."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> Any:
        """The other executor's rule for the order of steps."""
        return self._executor.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        """Execute the plan, with a heartbeat on the run as long as it lasts."""
        instance, run_id = plan_context.instance, plan_context.run_id
        instance.add_run_tags(run_id, process_tags())
        with beating(instance, run_id):
            yield from self._executor.execute(plan_context, execution_plan)


def recorded(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """Return an executor definition that does the same and records the process of each run."""
    create = executor.executor_creation_fn
    assert create is not None

    def recorded_creation(init_context: dg.InitExecutorContext) -> dg.Executor:
        return RecordedExecutor(create(init_context))

    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=executor.config_schema,  # type: ignore[arg-type]  # its own, as it was given
        requirements=executor.get_requirements,
        executor_creation_fn=recorded_creation,
        description=executor.description,
    )
