"""Which stored content did not pass a blocking check: recorded, current, and still not good."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    AssetCheckExecutionRecordStatus,
    BaseAssetGraph,
)
from rolesynth_assets.lineage.staleness.events.event_log import EventLog


class Unmet(NamedTuple):
    """A blocking check that stored content did not pass.

    Attributes:
        check: name of the check.
        evaluated: whether it failed; else the run ended before it.
    """

    check: str
    evaluated: bool


def barred(
    graph: BaseAssetGraph,
    log: EventLog,
    keys: Collection[dg.AssetKey],
    made: Callable[[dg.AssetKey, str | None], int],
) -> dict[tuple[dg.AssetKey, str | None], Unmet]:
    """Find partitions whose stored content did not pass a blocking check.

    An asset's content is recorded before its checks are, whatever they find, so Dagster calls it
    fresh.

    Args:
        graph: the asset graph.
        log: where the checks are recorded.
        keys: the assets to look at.
        made: gives the event with which a partition's content was stored; 0 if there is none.

    Returns:
        The first such check by asset and partition; one that failed comes before one that was not
        evaluated.
    """
    blocking = {
        check for check in graph.get_check_keys_for_assets(set(keys)) if graph.get(check).blocking
    }
    found: dict[tuple[dg.AssetKey, str | None], Unmet] = {}
    planned = AssetCheckExecutionRecordStatus.PLANNED
    for check in sorted(log.unpassed_checks(), key=lambda one: (one.status is planned, one.key)):
        asset = check.key.asset_key
        if check.key in blocking and unmet(check.status, check.event, made(asset, check.partition)):
            evaluated = check.status is not planned
            found.setdefault((asset, check.partition), Unmet(check.key.name, evaluated))
    return found


def unmet(status: AssetCheckExecutionRecordStatus, event: int, made: int) -> bool:
    """Return whether a check's latest record speaks against the content stored now.

    Args:
        status: what the record says.
        event: its number in the event log.
        made: the event with which the content was stored; 0 if there is none.
    """
    if status is AssetCheckExecutionRecordStatus.PLANNED:
        return made > event  # the run ended early: it matters only if it had stored new content
    return status is AssetCheckExecutionRecordStatus.FAILED
