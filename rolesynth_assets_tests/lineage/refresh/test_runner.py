import dagster as dg
import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.defs.wiring.pages.metadata import check_result
from rolesynth_assets.lineage.refresh.rematerialize import fix
from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError, Target
from rolesynth_assets.lineage.run_process.launcher import launched_tags
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.check_sentence import check_sentence
from rolesynth_assets.pictures.markdown import text
from rolesynth_assets.roles.library import RoleSetError
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


def test_an_interruption_begins_nothing_more(world: World) -> None:
    tried: list[str] = []

    @dg.asset(partitions_def=LETTERS)
    def slow(context: dg.AssetExecutionContext) -> None:
        tried.append(context.partition_key)
        raise KeyboardInterrupt

    refresher = Refresher(dg.Definitions(assets=[slow]), world.instance)
    with pytest.raises(KeyboardInterrupt):
        fix(refresher, lambda cell, status: True)
    assert tried == ["a"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RoleSetError("x.yaml: no roles"), "broken failed: x.yaml: no roles (run "),
        (dg.Failure("There is no collective."), "broken failed: There is no collective. (run "),
        (OSError("disk full"), "broken failed: OSError: disk full (run "),
    ],
)
def test_own_errors_are_told_without_their_class(world: World, error: Exception, told: str) -> None:
    @dg.asset
    def broken() -> None:
        raise error

    refresher = Refresher(dg.Definitions(assets=[broken]), world.instance)
    with pytest.raises(RefreshError) as raised:
        refresher.make(Cell("broken"))
    assert str(raised.value).startswith(told)


def test_what_a_check_measured_is_quoted_letter_by_letter(world: World) -> None:
    """Dagster's UI renders a description as Markdown, so that one is escaped; a message is not."""
    said = "- 3 of 4 *captions* name [x](http://h/p.png) or a_b|c, see www.example.com"
    outcome = CheckOutcome(False, 3, 0, said)

    def asset(blocking: bool) -> dg.AssetsDefinition:
        spec = dg.AssetCheckSpec("clean", asset="checked", blocking=blocking)

        @dg.asset(check_specs=[spec])
        def checked() -> dg.MaterializeResult:
            return dg.MaterializeResult(check_results=[check_result("clean", outcome)])

        return checked

    warned = Refresher(dg.Definitions(assets=[asset(False)]), world.instance).make(Cell("checked"))
    assert warned.warnings == (f"checked: clean: {said}",)
    (evaluation,) = [
        record.evaluation
        for record in world.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("checked"), "clean"), limit=1
        )
    ]
    assert evaluation is not None
    assert evaluation.description == text(said) != said
    with pytest.raises(RefreshError) as raised:
        Refresher(dg.Definitions(assets=[asset(True)]), world.instance).make(Cell("checked"))
    assert f"blocking check clean failed: {said} (run " in str(raised.value)


def test_a_check_of_before_is_quoted_by_its_description() -> None:
    asked = dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", False, {}, description="3 of 4 fail")
    assert check_sentence(asked) == "3 of 4 fail"


def test_a_run_of_a_command_is_one_of_the_code_location_and_names_its_cost(world: World) -> None:
    """The timeline and the job's page ask for runs by this tag, and know no others."""
    told = {"rolesynth/calls": 3, "rolesynth/cost": 1.5}
    refresher = Refresher(
        dg.Definitions(assets=[world.asset("up", metadata_of_run=told)]), world.instance
    )
    refresher.make(Cell("up"), launched_tags("run roles5"))
    label = {".dagster/repository": "__repository__@rolesynth_assets.definitions"}
    (run,) = world.instance.get_runs(dg.RunsFilter(job_name="__ASSET_JOB", tags=label))
    assert run.tags["rolesynth/what"] == "run roles5"
    assert "@" in run.tags["user"] and run.tags["rolesynth/command"]
    assert run.tags["rolesynth/cost"] == "1.5000 for 3 calls"
    assert "create_run_for_job" not in vars(world.instance)  # it is as it was


WEEKS = ("2026-01-04", "2026-01-11", "2026-01-18")
WEEKLY = dg.WeeklyPartitionsDefinition(WEEKS[0], end_date="2026-01-25")
BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


def rounds(world: World) -> Refresher:
    """An asset whose weekly partitions are each made from the one before."""
    deps = [dg.AssetDep("rounds", partition_mapping=BEFORE)]
    return Refresher(dg.Definitions(assets=[world.asset("rounds", WEEKLY, deps)]), world.instance)


def test_each_round_is_made_after_the_one_before_in_one_refresh(world: World) -> None:
    targets = [Target("rounds", WEEKS)]
    report = rounds(world).run(targets, lambda asset, partition: None)
    assert (report.ran, report.waiting, report.failed) == ({"rounds": 3}, [], {})
    assert world.ran == [Cell("rounds", week) for week in WEEKS]
    again = rounds(world).run(targets, lambda asset, partition: None)
    assert (again.ran, again.fresh, again.waiting) == ({"rounds": 0}, {"rounds": 3}, [])


def test_a_round_that_comes_out_otherwise_makes_the_next_one_again(world: World) -> None:
    refresher, targets = rounds(world), [Target("rounds", WEEKS)]
    refresher.run(targets, lambda asset, partition: None)
    world.contents["rounds", WEEKS[0]] = "1"
    world.ran.clear()
    refresher.run([Target("rounds", WEEKS[:1], forced=True)], lambda asset, partition: None)
    report = refresher.run(targets, lambda asset, partition: None)
    assert world.ran == [Cell("rounds", WEEKS[0]), Cell("rounds", WEEKS[1])]
    assert report.fresh == {"rounds": 2}  # the third is made from the same as before


def test_a_round_that_fails_holds_up_those_after_it(world: World) -> None:
    @dg.asset(partitions_def=WEEKLY, deps=[dg.AssetDep("failing", partition_mapping=BEFORE)])
    def failing(context: dg.AssetExecutionContext) -> None:
        raise RuntimeError("no server")

    refresher = Refresher(dg.Definitions(assets=[failing]), world.instance)
    report = refresher.run([Target("failing", WEEKS)], lambda asset, partition: None)
    assert list(report.failed) == [Cell("failing", WEEKS[0])]
    assert report.waiting == [Cell("failing", week) for week in WEEKS[1:]]
