"""An asset that never ends, run in a process that a test kills: `python -m` of this module."""

import os
import sys
import time
from pathlib import Path

import dagster as dg

from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.run_process.executor import recorded
from rolesynth_assets.lineage.staleness.causes import Cell

LETTERS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(partitions_def=LETTERS, code_version="1", pool="mllm")
def first(context: dg.AssetExecutionContext) -> None:
    if context.partition_key == "a":
        (Path(os.environ["DAGSTER_HOME"]) / "begun").touch()
        time.sleep(600)


@dg.asset(partitions_def=LETTERS, code_version="1", deps=[first])
def second() -> None: ...


defs = dg.Definitions(
    assets=[first, second],
    jobs=[dg.define_asset_job("both")],
    executor=recorded(dg.multiprocess_executor.configured({"max_concurrent": 1})),
)


def both() -> dg.JobDefinition:
    return defs.resolve_job_def("both")


def main(how: str) -> None:
    with dg.DagsterInstance.get() as instance:
        if how == "command":
            Refresher(defs, instance).make(Cell("first", "a"))
        else:
            tags = {"dagster/partition": "a"}
            dg.execute_job(
                dg.reconstructable(both),
                instance=instance,
                tags=tags,
                asset_selection=[first.key, second.key],
            )


if __name__ == "__main__":
    main(sys.argv[1])
