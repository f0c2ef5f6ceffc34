"""Running partitions one by one in this process, recorded in the Dagster instance like any run.

A model that was loaded once serves all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import dagster as dg

from rolesynth_assets.disk_trouble import disk_trouble_in, written_places
from rolesynth_assets.lineage.dagster_internals import BaseAssetGraph, runs_of
from rolesynth_assets.lineage.run_process.heartbeat import beating
from rolesynth_assets.lineage.run_process.identity import process_tags
from rolesynth_assets.lineage.run_process.launcher import LOCATION, cost_tags
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.check_sentence import check_sentence
from rolesynth_assets.lineage.staleness.observation import Looked, ObservationError, look
from rolesynth_assets.lineage.staleness.staleness import Staleness, examine
from rolesynth_assets.mllm.spent import Spent

_INTERRUPTIONS = (KeyboardInterrupt.__name__, dg.DagsterExecutionInterruptedError.__name__)
_OWN_CLASS = re.compile(r"^(rolesynth_assets(\.\w+)+|dagster[\w.]+\.Failure): ")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RefreshError(RuntimeError):
    """A partition failed, or a blocking check did; the message says which, and what was found.

    Attributes:
        spent: what models were asked all the same, as far as the run came to tell.
    """

    def __init__(self, message: str, spent: Spent | None = None) -> None:
        super().__init__(message)
        self.spent = spent or Spent()


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


@dataclass(frozen=True)
class Made:
    """What making one partition took of models, and failed checks that only warn."""

    spent: Spent = field(default_factory=Spent)
    warnings: tuple[str, ...] = ()


class Refresher:
    """Runs assets of a code location through one instance."""

    def __init__(
        self, definitions: dg.Definitions | dg.RepositoryDefinition, instance: dg.DagsterInstance
    ) -> None:
        repository = (
            definitions
            if isinstance(definitions, dg.RepositoryDefinition)
            else definitions.get_repository_def()
        )
        self.instance, self._repository = instance, repository
        self.graph: BaseAssetGraph = repository.asset_graph
        self._job = repository.get_implicit_global_asset_job_def()

    def examine(self, looked: Looked | None = None) -> Staleness:
        """Tell what is missing, stale or fresh now.

        Args:
            looked: a look at the sources that is not recorded yet.
        """
        return examine(self.graph, self.instance, observed=looked.versions if looked else None)

    def look(self) -> Looked:
        """Look at what people edit; nothing is recorded.

        Raises:
            RefreshError: a source cannot be observed.
        """
        try:
            return look(self._repository, self.instance)
        except ObservationError as error:
            raise RefreshError(str(error)) from error

    def observe_sources(self) -> Looked:
        """Record what people changed, so that it makes what hangs on it stale.

        Raises:
            RefreshError: a source cannot be observed.
        """
        looked = self.look()
        for event in looked.events:
            self.instance.report_runless_asset_event(event)
        return looked

    def run(
        self,
        targets: Sequence[Target],
        started: Callable[[str, str | None], None],
        tags: Mapping[str, str] | None = None,
    ) -> RefreshReport:
        """Bring the targets up to date, in the order given.

        Args:
            targets: assets with their partitions, upstream first.
            started: called with asset and partition before each run.
            tags: tags of all the runs.

        Raises:
            RefreshError: a run failed, or a blocking check; later targets were not started.
        """
        report = RefreshReport()
        staleness = None
        for target in targets:
            staleness = staleness or self.examine()
            due = [p for p in target.partitions if staleness.state(Cell(target.asset, p)).due]
            fresh = len(target.partitions) - len(due)
            report.fresh[target.asset] = report.fresh.get(target.asset, 0) + fresh
            report.ran[target.asset] = report.ran.get(target.asset, 0) + len(due)
            if due:
                staleness = None  # what is made changes what hangs on it
            for partition in due:
                started(target.asset, partition)
                report.warnings += self.make(Cell(target.asset, partition), tags).warnings
        return report

    def make(self, cell: Cell, tags: Mapping[str, str] | None = None) -> Made:
        """Run one cell.

        Args:
            cell: what to make.
            tags: tags of the run.

        Raises:
            RefreshError: the run failed, or a blocking check did.
            KeyboardInterrupt: the run was interrupted, so that nothing after it is begun.
        """
        outcome = self._execute(cell, {**(tags or {}), **process_tags()})
        if cost := cost_tags(_spent(outcome)):
            self.instance.add_run_tags(outcome.run_id, cost)
        failed = [e for e in outcome.get_asset_check_evaluations() if not e.passed]
        for check in failed:
            if check.blocking:
                raise RefreshError(
                    f"{cell}: blocking check {check.check_name} failed: {check_sentence(check)} "
                    f"(run {outcome.run_id}; nothing downstream was started)",
                    _spent(outcome),
                )
        if not outcome.success:
            first = _first_error(outcome)
            first = disk_trouble_in(first, written_places()) or first
            raise RefreshError(
                f"{cell} failed: {first} (run {outcome.run_id}; see `rolesynth ui`)",
                _spent(outcome),
            )
        return Made(
            _spent(outcome),
            tuple(f"{cell}: {check.check_name}: {check_sentence(check)}" for check in failed),
        )

    def _execute(self, cell: Cell, tags: Mapping[str, str]) -> dg.ExecuteInProcessResult:
        run_id = str(uuid4())
        shown = runs_of(self.instance, LOCATION, self._repository.name, self._job.name)
        with beating(self.instance, run_id), shown:
            return self._job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey.from_user_string(cell.asset)],
                partition_key=cell.partition,
                run_config=QUIET,
                raise_on_error=False,
                run_id=run_id,
                tags=dict(tags),
            )


def _spent(outcome: dg.ExecuteInProcessResult) -> Spent:
    events = outcome.get_asset_materialization_events()
    return sum((Spent.told(event.materialization.metadata) for event in events), Spent())


def _first_error(outcome: dg.ExecuteInProcessResult) -> str:
    """Tell what failed first; errors of this package without their class.

    Raises:
        KeyboardInterrupt: it was no failure but an interruption.
    """
    for event in outcome.all_events:
        if event.is_failure and event.event_specific_data is not None:
            error = getattr(event.event_specific_data, "error", None)
            if error is not None:
                cause = error.cause or error
                if cause.cls_name in _INTERRUPTIONS:
                    raise KeyboardInterrupt
                return _OWN_CLASS.sub("", " ".join(cause.message.split()))
    return ""
