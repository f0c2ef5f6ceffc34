"""Staleness on the pages of the UI: a check of each partition, which warns and names the cause.

Dagster's own "Unsynced" counts missing partitions and leaves a stale one green. A partition passes
this check when it is made, and whoever looks at staleness afterwards records what has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    AssetCheckExecutionRecordStatus,
    BaseAssetGraph,
)
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.check_sentence import SENTENCE
from rolesynth_assets.lineage.staleness.events.event_log import EventLog
from rolesynth_assets.lineage.staleness.explain import Words
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets.pictures import markdown

CHECK = "up_to_date"
"""Name of the check, which each asset has."""
MOST = 2_000
"""Partitions recorded by one look; the next look goes on with the others."""
Changed = tuple[dg.AssetKey, Cell, bool]
"""A partition, and whether it is stale now."""
_MADE = "Nothing that it was made from has changed since, as far as the last look goes."


def spec(asset: str, partitions: dg.PartitionsDefinition | None) -> dg.AssetCheckSpec:
    """Declare the check of an asset."""
    sentence = "Nothing that it was made from has changed since; a warning says what has."
    return dg.AssetCheckSpec(CHECK, asset=asset, description=sentence, partitions_def=partitions)


def passed() -> dg.AssetCheckResult:
    """Return what holds of a partition that was made a moment ago."""
    return dg.AssetCheckResult(
        passed=True,
        check_name=CHECK,
        severity=dg.AssetCheckSeverity.WARN,
        description=_MADE,
        metadata={SENTENCE: _MADE},
    )


def show_staleness(
    graph: BaseAssetGraph,
    instance: dg.DagsterInstance,
    staleness: Staleness,
    words: Words,
    most: int = MOST,
) -> int:
    """Record which partitions became stale or fresh since the last look, each with its cause.

    Args:
        graph: the asset graph.
        instance: where it is recorded.
        staleness: what was found.
        words: the causes in words.
        most: partitions to record; each takes some hundredths of a second.

    Returns:
        How many partitions were recorded, `most` at most; none where nothing changed.
    """
    changed = list(islice(_changed(graph, instance, staleness), most))
    _forget(instance, changed)
    for key, cell, stale in changed:
        sentence = f"Stale: {'; '.join(words.why(staleness, cell))}." if stale else _MADE
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=CHECK,
                passed=not stale,
                partition=cell.partition,
                severity=dg.AssetCheckSeverity.WARN,
                description=markdown.text(sentence),
                metadata={SENTENCE: dg.MetadataValue.text(sentence)},
            )
        )
    return len(changed)


def _forget(instance: dg.DagsterInstance, changed: Sequence[Changed]) -> None:
    """Make room for new records of partitions that were recorded before."""
    log = EventLog(instance)
    by_asset: dict[dg.AssetKey, list[str]] = {}
    for key, cell, _ in changed:
        if cell.partition is not None:
            by_asset.setdefault(key, []).append(cell.partition)
    for key, partitions in by_asset.items():
        log.forget_runless_check(dg.AssetCheckKey(key, CHECK), partitions)


def _changed(
    graph: BaseAssetGraph, instance: dg.DagsterInstance, staleness: Staleness
) -> Iterator[Changed]:
    """Yield partitions whose state is another than the one on their page."""
    checks = {
        check
        for check in graph.get_check_keys_for_assets(graph.materializable_asset_keys)
        if check.name == CHECK
    }
    failed = AssetCheckExecutionRecordStatus.FAILED
    shown = {
        (check.key.asset_key, check.partition): check.status is failed
        for check in EventLog(instance).unpassed_checks(CHECK)
    }
    for check in sorted(checks):
        key = check.asset_key
        for partition, state in staleness.states.get(key.to_user_string(), {}).items():
            stale = state.status is Status.STALE
            if stale is not shown.get((key, partition), False):
                yield key, Cell(key.to_user_string(), partition), stale
