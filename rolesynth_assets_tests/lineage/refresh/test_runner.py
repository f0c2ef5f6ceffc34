import dagster as dg
import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.defs.wiring.metadata import check_result
from rolesynth_assets.lineage.refresh.rematerialize import fix
from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
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
