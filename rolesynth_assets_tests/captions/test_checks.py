import pyarrow as pa
import pytest

from rolesynth_assets.captions.checks import (
    every_request_answered,
    failures_bounded,
    keys_unique,
    lengths_in_bounds,
    persona_talk_bounded,
    refusals_bounded,
)
from rolesynth_assets.captions.lengths import DEFAULT_POLICY

SHORT = "A red apple on a table."


def table(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    """Rows of (caption_id, text, reason), all short captions of one role."""
    return pa.table(
        {
            "caption_id": pa.array([row[0] for row in rows], pa.string()),
            "text": pa.array([row[1] for row in rows], pa.string()),
            "reason": pa.array([row[2] for row in rows], pa.string()),
            "detail": pa.array([f"detail of {row[0]}" for row in rows], pa.string()),
            "role": pa.array(["Observer of Details"] * len(rows), pa.string()),
            "length": pa.array(["short"] * len(rows), pa.string()),
        }
    )


GOOD = table(("a", SHORT, None), ("b", SHORT, None), ("c", None, "timeout"))


def test_every_request_has_a_caption_or_a_reason() -> None:
    outcome = every_request_answered(GOOD, ["a", "b", "c"])
    assert (outcome.passed, outcome.value, outcome.threshold) == (True, 0, 0)


@pytest.mark.parametrize(
    ("rows", "wanted", "value", "found_in"),
    [
        (GOOD, ["a", "b", "c", "d"], 1, "absent"),
        (GOOD, ["a", "b"], 1, "unwanted"),
        (table(("a", None, None)), ["a"], 1, "undecided"),
        (table(("a", SHORT, "persona")), ["a"], 1, "undecided"),
        (GOOD, ["x"], 4, "unwanted"),
    ],
)
def test_a_hole_or_a_stray_row_is_found(
    rows: pa.Table, wanted: list[str], value: int, found_in: str
) -> None:
    outcome = every_request_answered(rows, wanted)
    assert (outcome.passed, outcome.value) == (False, value)
    assert outcome.metadata[found_in]


def test_nothing_is_wanted_of_a_shard_that_holds_copies_alone() -> None:
    assert every_request_answered(table(), []).passed
    assert not every_request_answered(GOOD, []).passed


def test_repeated_keys_are_found() -> None:
    assert keys_unique(GOOD).passed
    outcome = keys_unique(table(("a", SHORT, None), ("a", SHORT, None), ("b", SHORT, None)))
    assert (outcome.passed, outcome.value) == (False, 1)
    assert outcome.metadata["examples"] == ["a"]


def test_a_caption_out_of_bounds_is_found() -> None:
    assert lengths_in_bounds(GOOD, DEFAULT_POLICY).passed
    outcome = lengths_in_bounds(
        table(("a", SHORT, None), ("b", "An apple.", None), ("c", "word " * 61, None)),
        DEFAULT_POLICY,
    )
    assert (outcome.passed, outcome.value) == (False, 2)
    assert outcome.metadata["examples"] == ["b", "c"]


def test_persona_talk_counts_rows_turned_down_and_stored_texts() -> None:
    rows = table(
        ("a", SHORT, None), ("b", SHORT, None), ("c", None, "persona"), ("d", "I see red.", None)
    )
    outcome = persona_talk_bounded(rows, max_share=0.4)
    assert (outcome.passed, outcome.value, outcome.threshold) == (False, 0.5, 0.4)
    assert outcome.metadata == {"turned_down": ["detail of c"], "stored": ["I see red."]}
    assert persona_talk_bounded(rows, max_share=0.5).passed
    assert persona_talk_bounded(GOOD).passed


def test_refusals_count_both_ways() -> None:
    rows = table(("a", SHORT, None), ("b", None, "refused"), ("c", "I cannot help.", None))
    outcome = refusals_bounded(rows, max_share=0.5)
    assert (outcome.passed, outcome.value) == (False, round(2 / 3, 6))
    assert refusals_bounded(GOOD).passed


def test_failures_count_whatever_their_reason() -> None:
    outcome = failures_bounded(GOOD, max_share=0.3)
    assert (outcome.passed, outcome.value) == (False, round(1 / 3, 6))
    assert outcome.metadata["reasons"] == {"timeout": 1}
    assert failures_bounded(GOOD, max_share=0.34).passed


@pytest.mark.parametrize("check", [persona_talk_bounded, refusals_bounded, failures_bounded])
def test_no_rows_pass_since_a_shard_may_hold_copies_alone(check) -> None:
    outcome = check(table())
    assert (outcome.passed, outcome.value) == (True, 0.0)
