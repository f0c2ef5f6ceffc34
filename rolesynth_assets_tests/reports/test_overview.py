import polars as pl

from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.reports.overview import best_scores, kept_shares, overview_page


def test_the_best_recipe_is_the_one_with_the_best_mean_over_seeds() -> None:
    rows = [
        ("scenes", "r1", "lucky", 0, 0.9),
        ("scenes", "r1", "lucky", 1, 0.1),
        ("scenes", "r1", "steady", 0, 0.6),
        *(("scenes", metric, "steady", 0, 0.7) for metric in ("r10", "r5")),
        ("glyphs", "top1", "steady", 0, 0.2),
    ]
    scores = pl.DataFrame(
        rows, schema=["benchmark", "metric", "recipe", "seed", "value"], orient="row"
    )
    best = best_scores(scores)
    assert [(row.benchmark, row.recipe, row.value, row.seeds) for row in best] == [
        ("glyphs", "steady", 0.2, 1),
        ("scenes", "steady", 0.6, 1),
        *[("scenes", "steady", 0.7, 1)] * 2,
    ]
    assert [row.metric for row in best] == ["top1", "r1", "r5", "r10"]


def test_the_kept_share_is_over_both_lengths() -> None:
    cutoffs = pl.DataFrame(
        {"role_set": ["a", "a", "b"], "kept": [6, 2, 0], "candidates": [10, 10, 0]}
    )
    assert kept_shares(cutoffs) == {"a": 0.4}


def test_the_page_says_what_there_is_and_what_is_not_yet() -> None:
    empty = pl.DataFrame(schema={"benchmark": pl.String, "metric": pl.String, "recipe": pl.String,
                                 "seed": pl.Int64, "value": pl.Float64})  # fmt: skip
    page = overview_page(best_scores(empty), {"roles5": 0.5}, Spent(10, 5, 7, 1.25), 2, 3)
    assert "**2** partitions are stale, 3 were never made." in page
    assert "**1.25** was spent by the project's prices, for 10 model calls with 12 tokens." in page
    assert "Nothing was scored yet." in page
    assert "| `roles5` | 50.0% |" in page
