"""Runs that bring partitions up to date: the tag they share, and which cells are in progress."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    ASSET_PARTITION_RANGE_END_TAG,
    PARTITION_NAME_TAG,
    BaseAssetGraph,
    BulkActionsFilter,
    BulkActionStatus,
)
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.partition_groups import Key, Partitions

TAG = "rolesynth/rematerialize"
"""Tag that the runs of one command, one job or one tick share, with the job's own run."""
_OPEN_BACKFILLS = [
    BulkActionStatus.REQUESTED,
    BulkActionStatus.CANCELING,
    BulkActionStatus.FAILING,
]
ENDED = {
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
}
"""What a run's status is once it does nothing more."""
_OPEN_RUNS = [status for status in dg.DagsterRunStatus if status not in ENDED]


def common_tag(by: str) -> dict[str, str]:
    """Return a new tag for runs that are started together, such as ``fix-1a2b3c4d``.

    Args:
        by: what starts them; the value begins with it.
    """
    return {TAG: f"{by}-{uuid4().hex[:8]}"}


def requests(work: Mapping[str, Sequence[Key]], tags: Mapping[str, str]) -> Iterator[dg.RunRequest]:
    """Yield one request a partition, which Dagster's daemon starts.

    Args:
        work: partitions to make, by asset.
        tags: tags of all the runs.
    """
    for asset, partitions in work.items():
        for partition in partitions:
            yield dg.RunRequest(
                asset_selection=[dg.AssetKey.from_user_string(asset)],
                partition_key=partition,
                tags=dict(tags),
            )


def in_progress(graph: BaseAssetGraph, instance: dg.DagsterInstance) -> set[Cell]:
    """Return the cells that some run is making, or some backfill of the UI is to make."""
    cells: set[Cell] = set()
    for backfill in instance.get_backfills(BulkActionsFilter(statuses=_OPEN_BACKFILLS)):
        if backfill.asset_backfill_data is not None:
            subset = backfill.asset_backfill_data.target_subset
            cells |= {Cell(k.to_user_string(), p) for k, p in subset.iterate_asset_partitions()}
    for run in instance.get_runs(dg.RunsFilter(statuses=_OPEN_RUNS)):
        for key in run.asset_selection or ():
            if not graph.has(key):
                continue
            asset, tags = key.to_user_string(), run.tags
            if ASSET_PARTITION_RANGE_END_TAG in tags:  # of a range, take every partition as busy
                with dg.partition_loading_context(dynamic_partitions_store=instance):
                    keys = Partitions(graph.get(key).partitions_def).keys
                cells |= {Cell(asset, partition) for partition in keys}
            else:
                cells.add(Cell(asset, tags.get(PARTITION_NAME_TAG)))
    return cells


def ended_runs(instance: dg.DagsterInstance, partition: str) -> int | None:
    """Count the runs of a partition key that have ended; None while one is still open."""
    tags = {PARTITION_NAME_TAG: partition}
    if instance.get_runs_count(dg.RunsFilter(statuses=_OPEN_RUNS, tags=tags)):
        return None
    return instance.get_runs_count(dg.RunsFilter(tags=tags))
