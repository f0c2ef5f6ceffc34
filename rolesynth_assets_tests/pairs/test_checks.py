from dataclasses import replace

import polars as pl
import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.pairs import checks
from rolesynth_assets.pairs.coverage import Coverage
from rolesynth_assets.pairs.cut import (
    Cutoffs,
    RoleSurvival,
    apply_cut,
    compute_cutoffs,
)
from rolesynth_assets.pairs.diversity import Diversity
from rolesynth_assets.store.left_out import EXCLUDED
from rolesynth_assets_tests.pairs.pair_frames import captions_of, policy, score_frame

SCORES = score_frame(
    [
        ("s1", f"i{n}", role, length, 1 + (7 * n + place) % 100)
        for n in range(40)
        for place, role in enumerate(("Art", "Zeal"))
        for length in ("long", "short")
    ]
).with_columns(pl.lit(None, pl.String).alias("reason"), pl.lit("").alias("detail"))
CUTOFFS = compute_cutoffs(SCORES, policy(), 5)


def with_score(value: int | None, first: int) -> pl.DataFrame:
    """SCORES with `value` in the first rows; those without a score have a reason."""
    rows = SCORES.with_row_index()
    score = pl.when(pl.col("index") < first).then(value).otherwise("score").cast(pl.Int32)
    lost = pl.when(score.is_null()).then(pl.lit("no_score"))
    return rows.with_columns(score.alias("score"), lost.alias("reason")).drop("index")


def test_scores_cover_captions() -> None:
    captions = captions_of(SCORES)
    good = checks.scores_cover_captions(captions, with_score(None, 3))
    assert (good.passed, good.value, good.threshold) == (True, 0, 0)
    bad = checks.scores_cover_captions(captions, SCORES.head(-2))
    assert (bad.passed, bad.value) == (False, 2)
    assert bad.metadata["examples"] == captions.tail(2)["caption_id"].to_list()
    silent = with_score(None, 3).with_columns(pl.lit(None, pl.String).alias("reason"))
    assert checks.scores_cover_captions(captions, silent).value == 3
    assert not checks.scores_cover_captions(captions.clear(), SCORES).passed


def test_scores_not_degenerate() -> None:
    good = checks.scores_not_degenerate(SCORES)
    assert good.passed and good.value < 0.1 and good.threshold == 0.9
    one_value = checks.scores_not_degenerate(with_score(85, 150))
    assert not one_value.passed and one_value.value > 0.9
    narrow = SCORES.with_columns((80 + pl.col("score") % 2).alias("score"))
    flat = checks.scores_not_degenerate(narrow)
    assert not flat.passed and flat.value < 0.9
    assert flat.metadata["std"] == pytest.approx(0.5, abs=0.01)
    assert checks.scores_not_degenerate(narrow.head(5)).passed  # of a folder with two pictures
    assert not checks.scores_not_degenerate(narrow.head(6)).passed


def test_a_judge_without_any_score_is_told_with_its_answer_and_the_way_out() -> None:
    silent = with_score(None, 160).with_columns(pl.lit("A red apple " * 40).alias("detail"))
    outcome = checks.scores_not_degenerate(silent)
    assert not outcome.passed
    assert "160 of 160 are no_score, such as 'A red apple A red" in outcome.description
    assert "ROLESYNTH_JUDGE_ENGINE" in outcome.description
    assert len(outcome.description) < 500
    assert checks.scores_not_degenerate(silent.clear()).passed  # nothing to score


def test_parse_failures_bounded() -> None:
    good = checks.parse_failures_bounded(with_score(None, 2))
    assert good.passed and good.value == 2 / 160
    bad = checks.parse_failures_bounded(with_score(None, 5))
    assert not bad.passed and bad.metadata["reasons"] == {"no_score": 5}
    assert checks.parse_failures_bounded(SCORES.clear()).passed  # a shard of copies alone


def test_kept_share_as_asked() -> None:
    good = checks.kept_share_as_asked(CUTOFFS)
    assert good.passed and good.metadata["kept"] == {"long": 16, "short": 16}
    long, short = CUTOFFS.cuts
    bad = checks.kept_share_as_asked(replace(CUTOFFS, cuts=(long, replace(short, kept=20))))
    assert not bad.passed and bad.value == pytest.approx(0.05)
    few = compute_cutoffs(SCORES.head(6), policy(), 5)  # 3 captions a length: 1 kept, not 0.6
    assert checks.kept_share_as_asked(few).passed
    assert not checks.kept_share_as_asked(replace(CUTOFFS, cuts=())).passed


def test_no_role_wiped_out() -> None:
    good = checks.no_role_wiped_out(CUTOFFS)
    assert good.passed and 0.1 < good.value < 0.3
    roles = (
        *CUTOFFS.roles,
        RoleSurvival("Calm", "long", 80, 1),
        RoleSurvival("Calm", "short", 80, 0),
    )
    bad = checks.no_role_wiped_out(replace(CUTOFFS, roles=roles))
    assert not bad.passed and bad.value == 1 / 160 and "'Calm'" in bad.description
    assert not checks.no_role_wiped_out(replace(CUTOFFS, roles=())).passed


def test_diversity_not_collapsed() -> None:
    measured = Diversity(0.5, 0.8, 20, 0.7, 3.1, 100, 200, 500, 0)
    good = checks.diversity_not_collapsed(measured)
    assert (good.passed, good.value, good.threshold) == (True, 0.7, 0.95)
    bad = checks.diversity_not_collapsed(replace(measured, mean_pairwise_similarity=0.99))
    assert not bad.passed
    assert checks.diversity_not_collapsed(None).passed


def test_images_remain() -> None:
    good = checks.images_remain(Coverage(10, 5), min_share=0.5)
    assert (good.passed, good.value, good.threshold) == (True, 0.5, 0.5)
    assert not checks.images_remain(Coverage(10, 4), min_share=0.5).passed
    assert checks.images_remain(Coverage(0, 0)).passed


def matched(pairs: pl.DataFrame, cutoffs: Cutoffs, shards: list[pl.DataFrame]) -> CheckOutcome:
    counts = pairs.group_by("shard").agg(pl.col("kept").sum(), pl.len().alias("candidates"))
    read = [shard.select(checks.MATCHED_COLUMNS) for shard in shards]
    return checks.pairs_match_cutoffs(counts, read, cutoffs)


def test_pairs_match_cutoffs() -> None:
    cutoffs = compute_cutoffs(SCORES, policy(floor_per_image=1), 5)
    pairs = apply_cut(captions_of(SCORES), SCORES, cutoffs)
    good = matched(pairs, cutoffs, [])
    assert good.passed and good.value == good.threshold == pairs["kept"].sum() > 32
    assert good.metadata["pairs"] == pairs.height
    bad = matched(pairs.filter("kept").head(-1), cutoffs, [])
    assert not bad.passed and bad.value == good.value - 1
    by_hand = (
        pairs.filter("kept")["caption_id"].head(2).to_list()
        + pairs.filter(~pl.col("kept"))["caption_id"].head(1).to_list()
    )
    fewer = apply_cut(captions_of(SCORES), SCORES, cutoffs, by_hand)
    shards = fewer.partition_by("shard")
    touched = [shard for shard in shards if (shard["reason"] == EXCLUDED).any()]
    excluded = matched(fewer, cutoffs, touched)
    assert excluded.passed and excluded == matched(fewer, cutoffs, shards)
    assert not matched(fewer, cutoffs, []).passed
    assert (excluded.value, excluded.metadata["excluded"]) == (good.value - 2, 2)
