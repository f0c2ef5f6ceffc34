"""Which stored content did not pass a blocking check: recorded, current, and still not good."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
    BaseAssetGraph,
)


def barred(
    graph: BaseAssetGraph, instance: dg.DagsterInstance, keys: Collection[dg.AssetKey]
) -> dict[tuple[dg.AssetKey, str | None], str]:
    """Find partitions whose stored content did not pass a blocking check.

    An asset's content is recorded before its checks are, whatever they find, so Dagster calls it
    fresh.

    Args:
        graph: the asset graph.
        instance: where the checks are recorded.
        keys: the assets to look at.

    Returns:
        The first failed check's name by asset and partition.
    """
    checks = [
        check
        for check in sorted(graph.get_check_keys_for_assets(set(keys)))
        if graph.get(check).blocking
    ]
    found: dict[tuple[dg.AssetKey, str | None], str] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(checks):
        if unmet(info):
            found.setdefault((info.check_key.asset_key, info.partition_key), info.check_key.name)
    return found


def unmet(check: AssetCheckPartitionInfo) -> bool:
    """Tell whether a check's latest record speaks against the content stored now."""
    if check.latest_execution_status is AssetCheckExecutionRecordStatus.PLANNED:
        # the run ended early: it matters only if it had stored new content by then
        return (check.latest_materialization_storage_id or 0) > check.latest_check_event_storage_id
    return check.latest_execution_status is AssetCheckExecutionRecordStatus.FAILED
