import dagster as dg
import polars as pl
import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.lineage.staleness.check_sentence import check_sentence

LETTERS = dg.StaticPartitionsDefinition(["a", "b"])


def few_apples(apples: int, max_share: float, most: int) -> CheckOutcome:
    return CheckOutcome(apples / 10 <= max_share, apples / 10, max_share, f"{apples} of {most}")


def no_pears(pears: int) -> CheckOutcome:
    return CheckOutcome(not pears, pears, 0, f"{pears} pears")


def few_plums(plums: int, max_plums: int = 3) -> CheckOutcome:
    return CheckOutcome(plums <= max_plums, plums, max_plums, f"{plums} plums")


FEW = Check(few_apples, "Few apples.", blocking=True, bounds={"max_share": "max_reject_share"})


@stage(
    "fruit",
    {"duckdb"},
    LETTERS,
    checks=[FEW, Check(no_pears, "No pears.", warn=True)],
)
def basket(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """A basket of one letter."""
    return Made(
        {
            "fruit": 5,
            "dagster/uri": "/x",
            "by_kind": {"apple": 4},
            "rows": pl.DataFrame({"n": [1]}),
        },
        "digest of it",
        facts={"apples": 4, "pears": 1, "most": 9},
        tags={"season": "autumn"},
    )


def made(project, **thresholds: float) -> dg.ExecuteInProcessResult:
    lines = [f"  {name}: {value}\n" for name, value in thresholds.items()]
    (project / "rolesynth.yaml").write_text("thresholds:\n" + "".join(lines) if lines else "")
    platform = Platform(project=str(project), data_root=str(project / "data"))
    return dg.materialize(
        [basket], partition_key="a", resources={"platform": platform}, raise_on_error=False
    )


def test_a_check_takes_facts_by_name_and_its_bound_from_the_settings(tmp_path) -> None:
    strict = made(tmp_path)
    found = {e.check_name: e for e in strict.get_asset_check_evaluations()}
    assert not strict.success  # a blocking check failed
    few = found["few_apples"]
    assert (few.passed, few.blocking, few.partition) == (False, True, "a")
    assert (few.metadata["value"].value, few.metadata["threshold"].value) == (0.4, 0.2)
    assert check_sentence(few) == (
        "4 of 9. rolesynth.yaml sets the bound: thresholds.max_reject_share (now 0.2); "
        "0.4 would accept this."
    )
    assert found["no_pears"].description == "1 pears"  # it has no bound
    assert found["no_pears"].severity is dg.AssetCheckSeverity.WARN
    mild = made(tmp_path, max_reject_share=0.4)
    assert mild.success
    assert {e.check_name: e.passed for e in mild.get_asset_check_evaluations()} == {
        "few_apples": True,
        "no_pears": False,
        "up_to_date": True,
    }


def test_what_was_made_becomes_metadata_version_and_tags(tmp_path) -> None:
    (event,) = made(tmp_path).get_asset_materialization_events()
    told = event.materialization
    assert list(told.metadata)[-1] == "dagster/uri"  # Dagster's own facts come last
    assert told.metadata["rolesynth/fruit"].value == 5
    assert told.metadata["rolesynth/by_kind"].value == {"apple": 4}
    assert isinstance(told.metadata["rolesynth/rows"], dg.MarkdownMetadataValue)
    assert told.tags is not None
    assert (told.tags["season"], told.tags["dagster/data_version"]) == ("autumn", "digest of it")


def test_the_asset_is_declared_with_its_checks() -> None:
    (spec,) = basket.specs
    assert (spec.key.to_user_string(), spec.group_name, spec.code_version) == (
        "basket",
        "fruit",
        "1",
    )
    assert (spec.description, list(spec.owners)) == ("A basket of one letter.", ["team:rolesynth"])
    assert basket.partitions_def == LETTERS
    (few,) = [check for check in basket.check_specs if check.name == "few_apples"]
    assert (few.description, few.blocking, few.partitions_def) == ("Few apples.", True, LETTERS)


def test_a_fact_that_was_forgotten_is_named() -> None:
    with pytest.raises(TypeError, match=r"no_pears.* 'pears'"):
        Made({}, "x", facts={"pear": 1}).result([Check(no_pears, "")], None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bounds", "unknown"),
    [({"max_shore": "max_reject_share"}, "max_shore"), ({"max_share": "max_shore"}, "max_shore")],
)
def test_a_bound_that_does_not_exist_is_refused_when_the_graph_loads(
    bounds: dict[str, str], unknown: str
) -> None:
    with pytest.raises(ValueError, match=f"check few_apples: there is no {unknown}"):
        Check(few_apples, "", bounds=bounds)


def test_a_bound_that_nobody_can_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"few_plums: max_plums cannot be set in rolesynth\.yaml"):
        Check(few_plums, "Few plums.")
    assert Check(few_plums, "Few plums.", bounds={"max_plums": "max_leaked_answers"}).bounds
