"""Backfills of exactly the partitions that are stale, one an asset, as Dagster's UI shows them."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import (
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
)
from dagster._core.utils import make_new_backfill_id
from dagster_shared.error import SerializableErrorInfo

from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.partition_groups import Key, Partitions

TAG = "rolesynth/rematerialize"
"""Tag of every backfill started for staleness; its value says by what."""
_OPEN = [
    BulkActionStatus.REQUESTED,
    BulkActionStatus.CANCELING,
    BulkActionStatus.FAILING,
]


def request(
    graph: BaseAssetGraph, instance: dg.DagsterInstance, asset: str, partitions: Sequence[Key]
) -> str:
    """Ask Dagster's daemon to make partitions of an asset; return the backfill's id."""
    backfill = _backfill(graph, instance, asset, partitions, "sensor")
    instance.add_backfill(backfill)
    return backfill.backfill_id


class OwnBackfill:
    """A backfill that this process works off; the UI shows it with its runs like any other.

    Until it is closed it stands as failed, so that it is told from one that came to its end if the
    process is killed, and so that no daemon takes it up as well.
    """

    def __init__(
        self,
        graph: BaseAssetGraph,
        instance: dg.DagsterInstance,
        asset: str,
        partitions: Sequence[Key],
        by: str,
    ) -> None:
        self._graph, self._instance, self._asset = graph, instance, asset
        self._partitions = set(partitions)
        ended_early = SerializableErrorInfo(
            "Its process has not come to an end: it is still at work, or was killed.", [], None
        )
        self._backfill = _backfill(graph, instance, asset, partitions, by)._replace(
            status=BulkActionStatus.FAILED, error=ended_early
        )
        instance.add_backfill(self._backfill)

    @property
    def tags(self) -> dict[str, str]:
        """Tags that make a run part of the backfill."""
        return {BACKFILL_ID_TAG: self._backfill.backfill_id, **self._backfill.tags}

    def close(self, made: Collection[Key], failed: Collection[Key]) -> None:
        """Record how it ended; what is in neither was not started."""
        data = self._backfill.asset_backfill_data
        assert data is not None
        data = data._replace(
            requested_runs_for_target_roots=True,
            materialized_subset=_subset(self._graph, self._instance, self._asset, made),
            requested_subset=_subset(self._graph, self._instance, self._asset, {*made, *failed}),
            failed_and_downstream_subset=_subset(self._graph, self._instance, self._asset, failed),
        )
        status = (
            BulkActionStatus.COMPLETED_SUCCESS
            if set(made) == self._partitions
            else BulkActionStatus.COMPLETED_FAILED
        )
        self._instance.update_backfill(
            self._backfill._replace(
                status=status,
                error=None,
                asset_backfill_data=data,
                backfill_end_timestamp=time.time(),
            )
        )


def in_progress(graph: BaseAssetGraph, instance: dg.DagsterInstance) -> set[Cell]:
    """Return the cells that some backfill or run is to make or is making."""
    cells: set[Cell] = set()
    for backfill in instance.get_backfills(BulkActionsFilter(statuses=_OPEN)):
        if backfill.asset_backfill_data is not None:
            subset = backfill.asset_backfill_data.target_subset
            cells |= {Cell(k.to_user_string(), p) for k, p in subset.iterate_asset_partitions()}
    for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
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


def _backfill(
    graph: BaseAssetGraph,
    instance: dg.DagsterInstance,
    asset: str,
    partitions: Sequence[Key],
    by: str,
) -> PartitionBackfill:
    return PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags={TAG: by},
        dynamic_partitions_store=instance,
        asset_graph_subset=_subset(graph, instance, asset, partitions),
        title=f"Stale: {asset}",
        description=f"{len(partitions)} stale partitions of {asset}, started by {by}",
        run_config=None,
    )


def _subset(
    graph: BaseAssetGraph, instance: dg.DagsterInstance, asset: str, partitions: Collection[Key]
) -> AssetGraphSubset:
    key = dg.AssetKey.from_user_string(asset)
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        return AssetGraphSubset.from_asset_partition_set(
            {AssetKeyPartitionKey(key, partition) for partition in partitions}, graph
        )
