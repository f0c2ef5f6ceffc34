"""One refresh from the command line: what is free, then a question, then what costs money."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import dagster as dg
import typer

from rolesynth_assets.cli.progress_bars import reported_bars
from rolesynth_assets.cli.spending.expected import Plan
from rolesynth_assets.cli.spending.plan import plan_spending
from rolesynth_assets.cli.spending.question import ask_before_paying, compare
from rolesynth_assets.cli.work.caption_targets import (
    caption_targets,
    chosen_shards,
    failed_before,
    forget_emptied,
)
from rolesynth_assets.cli.work.caption_work import CaptionWork
from rolesynth_assets.cli.work.failures import print_failures
from rolesynth_assets.cli.work.open_batches import (
    cells_with_batches,
    engines,
    make_in_passes,
    print_submitted,
    to_collect,
)
from rolesynth_assets.cli.work.problems_again import (
    failed_calls,
    forget_failed_calls,
    rounds_again,
)
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.wiring import partitions, r1_partitions
from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
from rolesynth_assets.lineage.refresh.runner import (
    OVERVIEW,
    Refresher,
    RefreshError,
    RefreshReport,
    Target,
)
from rolesynth_assets.lineage.refresh.tagged_runs import common_tag
from rolesynth_assets.lineage.refresh.targets import ProblemWork, problem_targets
from rolesynth_assets.lineage.run_process.launcher import launched_tags
from rolesynth_assets.lineage.shards import read_anew
from rolesynth_assets.lineage.staleness.causes import Cell, Reason
from rolesynth_assets.mllm.rows.one_go import one_go
from rolesynth_assets.progress import Reporter
from rolesynth_assets.settings import Settings

_FREE = ("image_shards", "role_lists")
"""Assets that are made before the question, so that the plan counts what there is."""


def bring_up_to_date(
    began: float,
    captions: CaptionWork | None,
    problems: Callable[[], ProblemWork] | None,
    *,
    problems_again: Sequence[str],
    yes: bool,
    wait: bool,
) -> None:
    """Do what `cli.refresh.refresh` describes."""
    settings = Settings.load()
    with dg.DagsterInstance.get() as instance:
        refresher = Refresher(defs, instance)
        refresh = _Refresh(settings, refresher, captions, problems, problems_again, wait)
        try:
            refresh.run(yes)
        except (BusyError, RefreshError) as error:
            typer.secho(f"\n{error}", fg="red", err=True)
            raise typer.Exit(1) from error
    refresh.conclude(began)


class _Refresh:
    """One refresh, its plan and what came of it."""

    def __init__(
        self,
        settings: Settings,
        refresher: Refresher,
        captions: CaptionWork | None,
        problems: Callable[[], ProblemWork] | None,
        problems_again: Sequence[str],
        wait: bool,
    ) -> None:
        self._settings, self._refresher, self._captions = settings, refresher, captions
        self._problems_again, self._wait = problems_again, wait
        self._shards: list[str] = []
        if captions:
            forget_emptied(settings, refresher, captions.emptied)
            self._shards = chosen_shards(settings, refresher, captions)
        self._problems = problems() if problems else None
        self._failed_before: list[str] = []
        self._report = RefreshReport()
        self._expected = Plan()
        self._tag = common_tag("run")

    def run(self, yes: bool) -> None:
        """Make what costs nothing, ask, and make the rest.

        Raises:
            BusyError: another process is running a refresh.
            RefreshError: a source cannot be observed.
            typer.Exit: the calls are not agreed to.
        """
        with self._alone(), reported_bars() as reporting:
            if self._captions:
                read_anew(
                    self._refresher.instance, self._settings.data_root, self._captions.changed
                )
            self._refresher.observe_sources()
            targets = self._targets()
            free = [t for t in targets if t.asset in _FREE and not _asks_for_roles(t)]
            self._make(free, reporting)
        targets = [target for target in targets if target not in free]
        if self._asks_models:
            self._expected = self._plan(targets)
            ask_before_paying(self._expected, yes)
        with nullcontext() if engines(self._settings) else self._alone(), one_go():
            make_in_passes(self._settings, self._report, targets, self._one_pass, wait=self._wait)
            with self._alone_in_a_pass(), reported_bars() as reporting:
                self._maintain(reporting)
                self._show_overview()

    def _alone_in_a_pass(self) -> AbstractContextManager[None]:
        """Hold the lock for a pass, where others may work while this command waits for batches."""
        return self._alone() if engines(self._settings) else nullcontext()

    def _one_pass(self, targets: Sequence[Target]) -> None:
        with self._alone_in_a_pass(), reported_bars() as reporting:
            if self._problems_again:
                forget_failed_calls(self._settings, self._problems_again)
                self._problems_again = ()
            self._make(targets, reporting)

    def conclude(self, began: float) -> None:
        """Print the summary, what was asked of models, and what failed.

        Raises:
            typer.Exit: with 1 if a partition of this command failed.
        """
        from rolesynth_assets.cli.summary.caption_tables import print_summary

        of = self._captions
        role_sets, recipes = (of.role_sets, list(of.recipes)) if of else ((), [])
        print_summary(
            self._settings, self._report, self._shards, role_sets, recipes, began, self._problems
        )
        if comparison := compare(self._expected, self._report.spent_on):
            typer.echo(comparison)
        if self._report.submitted:
            print_submitted(self._report.submitted)
        quiet_about = {*(of.quiet_about if of else ()), *self._failed_before}
        if print_failures(self._report, quiet_about):
            raise typer.Exit(1)

    @property
    def _asks_models(self) -> bool:
        return bool(self._problems or (self._captions and self._captions.role_sets))

    def _alone(self) -> AbstractContextManager[None]:
        return alone(self._settings.data_root) if self._asks_models else nullcontext()

    def _make(self, targets: Sequence[Target], reporting: Reporter) -> None:
        tags = {**self._tag, **launched_tags(_named(self._captions, self._problems))}
        self._refresher.run(targets, lambda asset, _: reporting(asset)(0, 0), self._report, tags)

    def _maintain(self, reporting: Reporter) -> None:
        """Put the tables' files in order where that is due."""
        from rolesynth_assets.store.lance.store import Store
        from rolesynth_assets.store.small.tables import SmallTables
        from rolesynth_assets.training_sets.table_upkeep import tables_due

        root = self._settings.data_root
        if tables_due(Store(root), SmallTables(root)):
            reporting("table_maintenance")(0, 0)
            self._make_beside("table_maintenance", "upkeep of the tables")

    def _show_overview(self) -> None:
        """Make the page that the UI's reader looks at first."""
        made = self._refresher.instance.get_latest_materialization_event(OVERVIEW)
        if made is None or any(self._report.ran.values()):
            tags = {**self._tag, **launched_tags("overview")}
            if failed := self._refresher.show_overview(tags):
                typer.secho(failed, fg="yellow", err=True)

    def _make_beside(self, asset: str, what: str) -> None:
        """Make an asset for which no command fails: its failure is a warning."""
        try:
            made = self._refresher.make(Cell(asset), {**self._tag, **launched_tags(what)})
        except RefreshError as error:
            typer.secho(str(error), fg="yellow", err=True)
            return
        for warning in made.warnings:
            typer.secho(warning, fg="yellow", err=True)

    def _targets(self) -> list[Target]:
        plan: list[Target] = []
        if self._captions:
            staleness = self._refresher.examine()
            of = self._captions
            named = {*of.shards, *of.changed, *of.read_again}  # their failure counts
            known = failed_before(staleness, self._shards)
            self._failed_before = [shard for shard in known if shard not in named]
            asked = caption_targets(self._settings, staleness, self._shards, self._captions)
            plan += to_collect(asked, cells_with_batches(self._settings.data_root))
        if self._problems:
            rounds = problem_targets(self._problems, r1_partitions.R1_RECIPES)
            again = self._problems_again
            plan += rounds_again(self._refresher.examine(), rounds) if again else rounds
        return plan

    def _plan(self, targets: Sequence[Target]) -> Plan:
        """Count what the targets will ask; a shard that failed asks for nothing."""
        staleness = self._refresher.examine()
        work: dict[str, list[str]] = {}
        for target in targets:
            states = {p: staleness.state(Cell(target.asset, p)) for p in target.partitions}
            forced = target.forced and target.asset != "cads_rounds"  # a journal answers for those
            due = [str(p) for p, state in states.items() if state.due or forced]
            work.setdefault(target.asset, []).extend(due)
        captions = staleness.states["raw_captions"]
        held = {
            key
            for key in work.get("raw_captions", ())
            if any(cause.reason is Reason.BLOCKED for cause in captions[key].causes)
        }
        for asset in ("raw_captions", "caption_scores"):
            work[asset] = [key for key in work.get(asset, ()) if key not in held]
        again = self._captions.again if self._captions else ()
        plan = plan_spending(self._settings, self._refresher.instance, work, again)
        if not self._problems_again:
            return plan
        failed = failed_calls(self._settings, self._problems_again)
        return replace(plan, asked=(*plan.asked, *failed))


def _named(captions: CaptionWork | None, problems: ProblemWork | None) -> str:
    """Name the runs for what they are: ``run roles5``, ``problems counting``, ``ingest``."""
    asked = [*(captions.role_sets if captions else ()), *(captions.recipes if captions else ())]
    parts = [f"run {' '.join(dict.fromkeys(asked))}"] if asked else []
    if problems:
        parts.append(f"problems {' '.join(problems.domains)}")
    return ", ".join(parts) or "ingest"


def _asks_for_roles(target: Target) -> bool:
    """Whether a target asks a model for roles."""
    known = partitions.ROLE_SETS
    return target.asset == "role_lists" and any(known[str(p)].generate for p in target.partitions)
