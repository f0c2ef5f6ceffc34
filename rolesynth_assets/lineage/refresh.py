"""Bringing a part of the graph up to date: what is fresh is left alone, the rest runs in order.

Every partition is one run in this process, recorded in the Dagster instance like any other run, so
a model that was loaded once serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.data_version import (  # no public way to ask for one partition
    CachingStaleStatusResolver,
    StaleStatus,
)
from dagster._core.loader import LoadingContextForTest as _LoadingContext
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as CheckStatus,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo

SOURCES = ("role_set_files", "recipe_files", "benchmark_files", "captioner", "judge")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RefreshError(RuntimeError):
    """A partition failed, or a blocking check did; the message says which, and what was found."""


@dataclass(frozen=True)
class Target:
    """Partitions of one asset to bring up to date; None stands for an asset without partitions."""

    asset: str
    partitions: Sequence[str | None] = (None,)


@dataclass
class RefreshReport:
    """What a refresh did: partitions run and left alone by asset, and failed checks that warn."""

    ran: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Refresher:
    """Runs targets of a code location through one instance."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions = definitions
        self._instance = instance
        self._job = definitions.resolve_implicit_global_asset_job_def()
        self._graph = definitions.resolve_asset_graph()

    def observe_sources(self) -> None:
        """Look at what people edit, so that a changed file makes what hangs on it stale."""
        outcome = self._job.execute_in_process(
            instance=self._instance,
            asset_selection=[dg.AssetKey(name) for name in SOURCES],
            run_config=QUIET,
            raise_on_error=False,
        )
        if not outcome.success:
            raise RefreshError(_first_error(outcome) or "the observation of the sources failed")

    def run(
        self, targets: Sequence[Target], started: Callable[[str, str | None], None]
    ) -> RefreshReport:
        """Bring the targets up to date, in the order given.

        Args:
            targets: assets with their partitions, upstream first.
            started: called with asset and partition before each run.

        Raises:
            RefreshError: a run failed, or a blocking check; later targets were not started.
        """
        report = RefreshReport()
        for target in targets:
            stale = list(self._stale(target))
            fresh = len(target.partitions) - len(stale)
            report.fresh[target.asset] = report.fresh.get(target.asset, 0) + fresh
            report.ran[target.asset] = report.ran.get(target.asset, 0) + len(stale)
            for partition in stale:
                started(target.asset, partition)
                report.warnings += self._materialize(target.asset, partition)
        return report

    def _stale(self, target: Target) -> Iterator[str | None]:
        resolver = CachingStaleStatusResolver(
            self._instance, self._graph, _LoadingContext(self._instance)
        )
        key = dg.AssetKey(target.asset)
        barred = self._barred(key)
        for partition in target.partitions:
            if partition in barred or resolver.get_status(key, partition) != StaleStatus.FRESH:
                yield partition

    def _barred(self, key: dg.AssetKey) -> set[str | None]:
        """Partitions whose stored content did not pass a blocking check; Dagster calls them fresh.

        An asset's content is recorded before its checks are, whatever they find.
        """
        blocking = [
            check
            for check in self._graph.get_check_keys_for_assets({key})
            if self._graph.get(check).blocking
        ]
        latest = self._instance.event_log_storage.get_asset_check_partition_info(blocking)
        return {info.partition_key for info in latest if _unmet(info)}

    def _materialize(self, asset: str, partition: str | None) -> list[str]:
        outcome = self._job.execute_in_process(
            instance=self._instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=partition,
            run_config=QUIET,
            raise_on_error=False,
        )
        where = f"{asset}[{partition}]" if partition else asset
        failed = [e for e in outcome.get_asset_check_evaluations() if not e.passed]
        for check in failed:
            if check.blocking:
                raise RefreshError(
                    f"{where}: blocking check {check.check_name} failed: {check.description} "
                    f"(run {outcome.run_id}; nothing downstream was started)"
                )
        if not outcome.success:
            raise RefreshError(
                f"{where} failed: {_first_error(outcome)} (run {outcome.run_id}; see `make ui`)"
            )
        return [f"{where}: {check.check_name}: {check.description}" for check in failed]


def _unmet(check: AssetCheckPartitionInfo) -> bool:
    if check.latest_execution_status is CheckStatus.PLANNED:
        # the run ended early: it matters only if it had stored new content by then
        return (check.latest_materialization_storage_id or 0) > check.latest_check_event_storage_id
    return check.latest_execution_status is CheckStatus.FAILED


def _first_error(outcome: dg.ExecuteInProcessResult) -> str:
    for event in outcome.all_events:
        if event.is_failure and event.event_specific_data is not None:
            error = getattr(event.event_specific_data, "error", None)
            if error is not None:
                cause = error.cause or error
                return " ".join(cause.message.split())
    return ""
