from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from rolesynth_assets.review.measures import (
    agreements,
    cohens_kappa,
    judge_agrees_with_people,
    measure_filter,
)


def labels(rows: Sequence[tuple[str, str, str, str]]) -> pl.DataFrame:
    columns = ["caption_id", "decision", "reviewer", "truth"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def sample(kept_true: int, kept_false: int, dropped_true: int, dropped_false: int) -> pl.DataFrame:
    rows = []
    for decision, truth, n in (
        ("kept", "true", kept_true),
        ("kept", "false", kept_false),
        ("dropped", "true", dropped_true),
        ("dropped", "false", dropped_false),
    ):
        rows += [(f"{decision} {truth} {i}", decision, "Ada", truth) for i in range(n)]
    return labels(rows)


def test_strata_are_weighed_with_their_sizes() -> None:
    found = measure_filter(sample(90, 10, 50, 50), {"kept": 1000, "dropped": 4000})
    assert found.precision and found.recall and found.random_precision
    assert found.precision.value == pytest.approx(0.9)
    assert found.recall.value == pytest.approx(900 / (900 + 2000))
    assert found.random_precision.value == pytest.approx(2900 / 5000)
    assert found.random_recall == pytest.approx(0.2)
    assert found.precision.low == pytest.approx(0.83, abs=0.01)  # Jeffreys, 90 of 100
    assert found.precision.high == pytest.approx(0.95, abs=0.01)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, hits = np.random.default_rng(1), [0, 0]
    for _ in range(200):
        true = rng.binomial(40, 0.85), rng.binomial(40, 0.6)
        found = measure_filter(
            sample(true[0], 40 - true[0], true[1], 40 - true[1]), {"kept": 200, "dropped": 800}
        )
        assert found.precision and found.recall
        recall = 200 * 0.85 / (200 * 0.85 + 800 * 0.6)
        hits[0] += found.precision.low <= 0.85 <= found.precision.high
        hits[1] += found.recall.low <= recall <= found.recall.high
    assert min(hits) >= 200 * 0.9


def test_four_times_the_answers_halve_the_interval() -> None:
    sizes = {"kept": 10_000, "dropped": 10_000}
    few, many = (measure_filter(sample(30 * n, 10 * n, 20 * n, 20 * n), sizes) for n in (1, 4))
    assert few.precision and many.precision
    width = [m.precision.high - m.precision.low for m in (few, many) if m.precision]
    assert width[1] == pytest.approx(width[0] / 2, rel=0.1)
    assert few.to_halve == (160 - 40) * 2  # every other answer is on a kept caption


def test_without_answers_nothing_is_claimed() -> None:
    found = measure_filter(labels([]), {"kept": 3, "dropped": 4})
    assert found.precision is found.recall is found.random_precision is None
    assert found.to_halve == 0


def test_of_several_answers_the_majority_counts() -> None:
    rows = [
        ("c", "kept", name, truth)
        for name, truth in zip("ABC", ["true", "true", "false"], strict=True)
    ]
    rows += [("d", "kept", "A", "true"), ("d", "kept", "B", "false"), ("e", "kept", "A", "unsure")]
    found = measure_filter(labels(rows), {"kept": 3, "dropped": 0})
    assert found.answered["kept"] == 1
    assert found.unsure == 2


def test_kappa_is_that_of_the_textbook() -> None:
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(one, other) == pytest.approx(0.4)  # Cohen's example of 50 proposals
    assert cohens_kappa(["a"], ["a"]) is None
    assert cohens_kappa([], []) is None


def test_reviewers_are_compared_on_what_both_saw() -> None:
    rows = [("1", "kept", "A", "true"), ("2", "kept", "A", "false"), ("1", "kept", "B", "true")]
    assert agreements(labels(rows)) == [("A", "B", 1, None)]
    assert agreements(labels(rows[:2])) == []


def scored(true: Sequence[int], false: Sequence[int]) -> pl.DataFrame:
    rows = [("true", s) for s in true] + [("false", s) for s in false] + [("unsure", 1)]
    return pl.DataFrame(rows, schema={"truth": pl.String, "score": pl.Int32}, orient="row")


def test_a_judge_that_ranks_against_people_fails() -> None:
    high, low = list(range(60, 90)), list(range(10, 40))
    assert judge_agrees_with_people(scored(high, low)).value == 1.0
    bad = judge_agrees_with_people(scored(low, high))
    assert not bad.passed
    assert bad.value == 0.0
    guess = judge_agrees_with_people(scored(high, high))
    assert guess.passed
    assert guess.value == pytest.approx(0.5)


def test_a_few_answers_measure_no_judge() -> None:
    outcome = judge_agrees_with_people(scored([1, 2], [90, 91]))
    assert outcome.passed
    assert "2 captions true and 2 not true" in outcome.description
