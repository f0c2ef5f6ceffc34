import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.defs.wiring.pages.metadata import (
    check_result,
    lance_metadata,
    small_table_metadata,
)


def test_numbers_of_a_check_are_rounded_wherever_they_stand() -> None:
    facts = {"share": 0.1 + 0.2, "by_role": {"a": 1 / 3, "b": [2 / 3, 1]}, "n": 3, "name": "x"}
    result = check_result("c", CheckOutcome(True, 1.1 * 3, 1e-3, "3 of *4*", facts))
    told = {name: value.value for name, value in result.metadata.items()}
    assert told == {
        "value": 3.3,
        "threshold": 0.001,
        "share": 0.3,
        "by_role": {"a": 0.333333, "b": [0.666667, 1]},
        "n": 3,
        "name": "x",
        "rolesynth/sentence": "3 of *4*",
    }


def test_small_and_large_numbers_keep_their_size() -> None:
    result = check_result("c", CheckOutcome(True, 1.2345678e-7, None, "", {"many": 12345678}))
    assert result.metadata["value"].value == 1.23457e-07
    assert result.metadata["many"].value == 12345678


@pytest.mark.parametrize(
    "table",
    ["images", "roles", "captions", "scores", "pairs", "seeds", "candidates", "problems"],
)
def test_every_column_of_a_lance_table_is_described(table: str) -> None:
    schema = lance_metadata(table, 0, 1, {})["dagster/column_schema"]
    assert [column.name for column in schema.columns if not column.description] == []


@pytest.mark.parametrize(
    "table", ["cutoffs", "manifests", "training_sets", "benchmark_scores", "r1_scores"]
)
def test_every_column_of_a_small_table_is_described(table: str) -> None:
    schema = small_table_metadata(table, 0, {})["dagster/column_schema"]
    assert [column.name for column in schema.columns if not column.description] == []
