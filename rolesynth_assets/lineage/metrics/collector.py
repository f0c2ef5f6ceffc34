"""The state of a Dagster instance as metrics of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Lock

import dagster as dg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rolesynth_assets.lineage.metrics.totals import COUNTED, Totals
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Status
from rolesynth_assets.lineage.staleness.events.event_log import EventLog

_GROUPS = ("role_set", "recipe", "domain")
"""Dimensions by which partitions are summed; shards, seeds and rounds are too many."""
_LABELS = ["asset", "of", "model"]


class InstanceMetrics(Collector):
    """Reads what runs have recorded, each event once; runs themselves expose nothing.

    `examine` costs seconds in a large project, so the number of stale partitions is as old as its
    last call.
    """

    def __init__(self, refresher: Refresher) -> None:
        """Read nothing yet."""
        self._refresher = refresher
        self._log = EventLog(refresher.instance)
        self._totals = Totals(self._group_of)
        self._lock = Lock()
        self._partitions: dict[tuple[str, str], int] = {}
        self._examined_at = 0.0

    def examine(self) -> None:
        """Count missing, stale and fresh partitions anew."""
        counts = self._refresher.examine().counts()
        self._partitions = {
            (asset, str(status)): of[status] for asset, of in counts.items() for status in Status
        }
        self._examined_at = time.time()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called at each scrape."""
        with self._lock:
            self._totals.add(self._log.made_since(self._totals.event))
            yield from self._sums()
            yield from self._held()
        yield from self._stale()
        yield self._runs()

    def _sums(self) -> Iterator[Metric]:
        for name, meaning in COUNTED.items():
            family = CounterMetricFamily(f"rolesynth_{name}", meaning, labels=_LABELS)
            for labels, value in sorted(self._totals.sums[name].items()):
                family.add_metric(labels, value)
            yield family
        made = CounterMetricFamily(
            "rolesynth_materializations", "Partitions that were made.", labels=["asset", "of"]
        )
        for names, count in sorted(self._totals.made.items()):
            made.add_metric(names, count)
        yield made

    def _held(self) -> Iterator[Metric]:
        rows = GaugeMetricFamily(
            "rolesynth_rows", "Rows of the tables' partitions.", labels=["asset", "of"]
        )
        failed = GaugeMetricFamily(
            "rolesynth_rows_without_text",
            "Rows for which a model gave no usable text.",
            labels=["asset", "of", "reason"],
        )
        held: dict[tuple[str, str], int] = {}
        reasons: dict[tuple[str, str, str], int] = {}
        for (asset, _), latest in self._totals.latest.items():
            where = asset, latest.group
            held[where] = held.get(where, 0) + latest.rows
            for reason, count in latest.reasons.items():
                reasons[(*where, reason)] = reasons.get((*where, reason), 0) + count
        for where, count in sorted(held.items()):
            if count:
                rows.add_metric(where, count)
        for because, count in sorted(reasons.items()):
            failed.add_metric(because, count)
        last = GaugeMetricFamily(
            "rolesynth_last_made_timestamp_seconds",
            "When a partition of an asset was made last.",
            labels=["asset"],
        )
        for asset, at in sorted(self._totals.last_made.items()):
            last.add_metric([asset], at)
        yield from (rows, failed, last)

    def _stale(self) -> Iterator[Metric]:
        partitions = GaugeMetricFamily(
            "rolesynth_partitions",
            "Partitions by whether they are fresh, stale or missing.",
            labels=["asset", "status"],
        )
        for names, count in sorted(self._partitions.items()):
            partitions.add_metric(names, count)
        yield partitions
        yield GaugeMetricFamily(
            "rolesynth_partitions_examined_timestamp_seconds",
            "When the partitions were examined last.",
            value=self._examined_at,
        )

    def _runs(self) -> Metric:
        runs = GaugeMetricFamily(
            "rolesynth_runs", "Runs in the instance by status.", labels=["status"]
        )
        for status in dg.DagsterRunStatus:
            count = self._refresher.instance.get_runs_count(dg.RunsFilter(statuses=[status]))
            runs.add_metric([status.value.lower()], count)
        return runs

    def _group_of(self, asset: str, partition: str | None) -> str:
        key = dg.AssetKey.from_user_string(asset)
        graph = self._refresher.graph
        if partition is None or not graph.has(key):
            return ""
        definition = graph.get(key).partitions_def
        if isinstance(definition, dg.MultiPartitionsDefinition):
            names = [each.name for each in definition.partitions_defs]
            parts = dict(zip(sorted(names), partition.split("|"), strict=False))
            return next((parts[name] for name in _GROUPS if name in parts), "")
        # shards are dynamic, and too many; a static partition is a role set, a recipe or a domain
        return "" if isinstance(definition, dg.DynamicPartitionsDefinition) else partition
