import numpy as np
import polars as pl
import pytest
from scipy import stats

from rolesynth_assets.benchmarks.intervals.seed_intervals import (
    difference,
    student_interval,
    summarise,
)
from rolesynth_assets.benchmarks.score import Metric, Score, scores_frame
from rolesynth_assets.reports.ablation import ablation_markdown

I1, T1 = Metric.IMAGE_TO_TEXT_R1, Metric.TEXT_TO_IMAGE_R1


def _frame(recipe: str, by_seed: dict[int, float], benchmark: str = "scenes") -> pl.DataFrame:
    return pl.concat(
        scores_frame(
            [
                Score(I1, value, value - 0.02, value + 0.03, 0.02, 300),
                Score(T1, value / 2, value / 2 - 0.01, value / 2 + 0.01, 0.01, 600),
            ],
            recipe=recipe,
            seed=seed,
            benchmark=benchmark,
        )
        for seed, value in by_seed.items()
    )


def test_the_interval_over_seeds_is_student_s() -> None:
    values = [0.41, 0.44, 0.42]
    interval = student_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high))
    with pytest.raises(ValueError, match="two seeds"):
        student_interval([0.4])


def test_one_seed_keeps_its_interval_over_images() -> None:
    score = summarise(_frame("a", {0: 0.4}))[("a", "scenes", I1)]
    assert (score.interval.low, score.interval.high) == pytest.approx((0.38, 0.43))


def test_the_difference_is_paired_over_common_seeds() -> None:
    table = summarise(
        pl.concat(
            [_frame("a", {0: 0.52, 1: 0.33, 2: 0.41}), _frame("b", {0: 0.50, 1: 0.30, 2: 0.40})]
        )
    )
    ours, theirs = (table[(name, "scenes", I1)] for name in "ab")
    found = difference(ours, theirs)
    low, high = stats.t.interval(0.95, 2, loc=0.02, scale=stats.sem([0.02, 0.03, 0.01]))
    assert (found.value, found.low, found.high) == pytest.approx((0.02, low, high))


def test_without_common_seeds_the_intervals_are_joined() -> None:
    table = summarise(pl.concat([_frame("a", {0: 0.5}), _frame("b", {0: 0.4})]))
    found = difference(table[("a", "scenes", I1)], table[("b", "scenes", I1)])
    assert found.value == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - np.hypot(0.02, 0.03))
    assert found.high == pytest.approx(0.1 + np.hypot(0.03, 0.02))


def test_the_page_shows_scores_chance_and_differences() -> None:
    scores = pl.concat(
        [
            _frame("roles5", {0: 0.52, 1: 0.53, 2: 0.54}),
            _frame("generic1", {0: 0.4, 1: 0.41, 2: 0.42}),
        ]
    )
    page = ablation_markdown(
        scores,
        baselines={"roles5": "generic1"},
        descriptions={"roles5": "five roles"},
        stand_in="Captions come from a stand-in.",
    )
    lines = page.splitlines()
    assert "> Captions come from a stand-in." in lines
    assert "Queries: I→T R@1 300, T→I R@1 600." in lines
    assert "| recipe | seeds | I→T R@1 | T→I R@1 |" in lines
    assert "| *chance* |  | 2.0 | 1.0 |" in lines
    half = 100 * stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    assert any(
        line.startswith(f"| `roles5` | 3 | 53.0 [{53 - half:.1f}, {53 + half:.1f}] |")
        for line in lines
    )
    assert "| `roles5` | `generic1` | **+12.0 [+12.0, +12.0]** | **+6.0 [+6.0, +6.0]** |" in lines
    assert "- `roles5`: five roles" in lines
    # the baseline leads the table and has no difference of its own
    rows = [line for line in lines if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["generic1", "roles5", "roles5"]


def test_a_difference_that_may_be_zero_is_not_bold() -> None:
    scores = pl.concat([_frame("a", {0: 0.41, 1: 0.39}), _frame("b", {0: 0.4, 1: 0.4})])
    page = ablation_markdown(scores, baselines={"a": "b"})
    assert "**" not in page
    assert "| `a` | `b` | +0.0 [" in page


def test_a_recipe_without_its_baseline_shows_scores_only() -> None:
    page = ablation_markdown(_frame("a", {0: 0.4}), baselines={"a": "absent"})
    assert "| `a` | 1 | 40.0 [38.0, 43.0] |" in page
    assert "Difference" not in page


def test_benchmarks_get_a_section_each() -> None:
    scores = pl.concat([_frame("a", {0: 0.4}, "x"), _frame("a", {0: 0.4}, "b")])
    page = ablation_markdown(scores, baselines={})
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## b", "## x"]


def test_no_score_and_two_scores_of_one_run_are_errors() -> None:
    scores = _frame("a", {0: 0.4})
    with pytest.raises(ValueError, match="materialize benchmark_scores"):
        ablation_markdown(scores.clear(), baselines={})
    with pytest.raises(ValueError, match="two scores"):
        ablation_markdown(pl.concat([scores, scores]), baselines={})
