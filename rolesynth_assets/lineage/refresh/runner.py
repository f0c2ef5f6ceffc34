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
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Reason
from rolesynth_assets.lineage.staleness.check_sentence import check_sentence
from rolesynth_assets.lineage.staleness.observation import Looked, ObservationError, look
from rolesynth_assets.lineage.staleness.staleness import Staleness, examine
from rolesynth_assets.mllm.cost.spent import Spent, SpentOn
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.rows.batch_work import BatchesOpenError
from rolesynth_assets.mllm.rows.reply_journal import JournalError

_INTERRUPTIONS = (KeyboardInterrupt.__name__, dg.DagsterExecutionInterruptedError.__name__)
_OWN_CLASS = re.compile(r"^(rolesynth_assets(\.\w+)+|dagster[\w.]+\.Failure): ")
_FOR_ALL = (EngineError.__name__, JournalError.__name__)
"""Errors of an engine or a journal that can serve nothing, whichever partition asks."""
OVERVIEW = dg.AssetKey("overview")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RefreshError(RuntimeError):
    """A partition failed, or a blocking check did; the message says which, and what was found.

    Attributes:
        spent: what models were asked all the same.
        for_all: whether the asset's other partitions would fail for the same cause, such as a
            server that serves no request or a full disk.
        open_batches: whether it only waits for answers to what it submitted (`submitting_only`).
    """

    def __init__(
        self,
        message: str,
        spent: Spent | None = None,
        *,
        for_all: bool = False,
        open_batches: bool = False,
    ) -> None:
        super().__init__(message)
        self.spent = spent or Spent()
        self.for_all, self.open_batches = for_all, open_batches


@dataclass(frozen=True)
class Target:
    """Partitions of one asset to bring up to date.

    Attributes:
        asset: the asset.
        partitions: its partitions; None means an asset without partitions.
        forced: whether to make them even if they are up to date.
        config: run configuration of the asset.
    """

    asset: str
    partitions: Sequence[str | None] = (None,)
    forced: bool = False
    config: Mapping[str, object] | None = None


@dataclass
class RefreshReport:
    """What a refresh did.

    Attributes:
        ran: partitions made, by asset.
        fresh: partitions that were up to date, by asset.
        warnings: failed checks that only warn.
        made: the same partitions, in order.
        failed: why partitions failed.
        submitted: partitions whose batches are not answered yet, and what they wait for.
        waiting: partitions that were not begun, because of what failed or is missing upstream.
        spent_on: what models were asked by asset, for what failed as well.
    """

    ran: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    made: list[Cell] = field(default_factory=list)
    failed: dict[Cell, str] = field(default_factory=dict)
    submitted: dict[Cell, str] = field(default_factory=dict)
    waiting: list[Cell] = field(default_factory=list)
    spent_on: SpentOn = field(default_factory=SpentOn)

    @property
    def spent(self) -> Spent:
        """What models were asked in all."""
        return self.spent_on.all

    def held_up(self, cause: Cause) -> bool:
        """Whether what a cause names is not right, and will not become so in this refresh."""
        if cause.reason in (Reason.BLOCKED, Reason.ABSENT):
            return True
        stopped = {cell.asset for cell in (*self.failed, *self.submitted, *self.waiting)}
        return cause.waits and cause.upstream is not None and cause.upstream.asset in stopped


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
        """Return what is missing, stale or fresh now.

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
        report: RefreshReport | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> RefreshReport:
        """Bring the targets up to date, in the order given.

        A partition that fails holds up only what is made from it.

        Args:
            targets: assets with their partitions, upstream first.
            started: called with asset and partition before each run.
            report: of the targets before these, which is continued.
            tags: tags of all the runs.
        """
        report = RefreshReport() if report is None else report
        staleness: Staleness | None = None
        for target in targets:
            staleness = staleness or self.examine()
            if self._bring_up_to_date(target, staleness, report, started, tags):
                staleness = None  # what was made changes what hangs on it
        return report

    def _bring_up_to_date(
        self,
        target: Target,
        staleness: Staleness,
        report: RefreshReport,
        started: Callable[[str, str | None], None],
        tags: Mapping[str, str] | None,
    ) -> bool:
        """Make what is due of a target; return whether something was begun."""
        asset, begun, outdated, stopped = target.asset, False, False, False
        report.fresh.setdefault(asset, 0)
        report.ran.setdefault(asset, 0)
        for partition in dict.fromkeys(target.partitions):
            cell = Cell(asset, partition)
            if outdated and _follows_its_own_asset(cell, staleness.state(cell)):
                # the partition before it may have been made by now
                staleness, outdated = self.examine(), False
            state = staleness.state(cell)
            held = any(map(report.held_up, state.causes))
            if not (held or state.due or target.forced):
                report.fresh[asset] += 1
                continue
            if held or stopped:
                report.waiting.append(cell)
                continue
            begun = outdated = True
            started(asset, partition)
            try:
                made = self.make(cell, tags, target.config)
            except RefreshError as error:
                of = report.submitted if error.open_batches else report.failed
                of[cell] = str(error)
                report.spent_on.add(asset, error.spent)
                stopped = error.for_all
                continue
            report.ran[asset] += 1
            report.made.append(cell)
            report.spent_on.add(asset, made.spent)
            report.warnings += made.warnings
        return begun

    def make(
        self,
        cell: Cell,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, object] | None = None,
    ) -> Made:
        """Run one cell.

        Args:
            cell: what to make.
            tags: tags of the run.
            config: run configuration of the asset.

        Raises:
            RefreshError: the run failed, or a blocking check did.
            KeyboardInterrupt: the run was interrupted, so that nothing after it is begun.
        """
        outcome = self._execute(cell, {**(tags or {}), **process_tags()}, config)
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
            name, said = _first_error(outcome)
            if name == BatchesOpenError.__name__:
                if not _spent(outcome).calls:  # such a run did nothing that anybody looks for
                    self.instance.delete_run(outcome.run_id)
                raise RefreshError(f"{cell}: {said}.", _spent(outcome), open_batches=True)
            trouble = disk_trouble_in(said, written_places())
            raise RefreshError(
                f"{cell} failed: {trouble or said} (run {outcome.run_id}; see `rolesynth ui`)",
                _spent(outcome),
                for_all=bool(trouble) or name in _FOR_ALL,
            )
        return Made(
            _spent(outcome),
            tuple(f"{cell}: {check.check_name}: {check_sentence(check)}" for check in failed),
        )

    def show_overview(self, tags: Mapping[str, str]) -> str:
        """Make the page that the UI's reader looks at first; return why it failed, if it did."""
        if not self.graph.has(OVERVIEW):
            return ""
        try:
            self.make(Cell(OVERVIEW.to_user_string()), tags)
        except RefreshError as error:
            return str(error)
        return ""

    def _execute(
        self, cell: Cell, tags: Mapping[str, str], config: Mapping[str, object] | None
    ) -> dg.ExecuteInProcessResult:
        ops = {"ops": {cell.asset: {"config": dict(config)}}} if config else {}
        run_id = str(uuid4())
        shown = runs_of(self.instance, LOCATION, self._repository.name, self._job.name)
        with beating(self.instance, run_id), shown:
            return self._job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey.from_user_string(cell.asset)],
                partition_key=cell.partition,
                run_config={**QUIET, **ops},
                raise_on_error=False,
                run_id=run_id,
                tags=dict(tags),
            )


def _follows_its_own_asset(cell: Cell, state: CellState) -> bool:
    """Whether a cell waits for another partition of its asset, as a round for the one before."""
    return any(cause.upstream and cause.upstream.asset == cell.asset for cause in state.causes)


def _spent(outcome: dg.ExecuteInProcessResult) -> Spent:
    """Add up what a run's materializations and its failures say that models were asked."""
    noted = [event.materialization.metadata for event in outcome.get_asset_materialization_events()]
    noted += [
        failure.metadata
        for event in outcome.all_events
        if event.is_step_failure and (failure := event.step_failure_data.user_failure_data)
    ]
    return sum(map(Spent.recorded, noted), Spent())


def _first_error(outcome: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Return the class and the message of what failed first; our own errors are named by no class.

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
                said = _OWN_CLASS.sub("", " ".join(cause.message.split()))
                return cause.cls_name or "", said
    return "", ""
