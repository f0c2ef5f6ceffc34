import polars as pl
import pytest

from rolesynth_assets.pairs.cut import apply_cut, compute_cutoffs
from rolesynth_assets.pairs.drop_ledger import pair_ledger
from rolesynth_assets_tests.pairs.pair_frames import captions_of, policy, score_frame


def test_ledger_counts_every_pair_and_spreads_its_examples() -> None:
    rows = [
        ("s1", f"i{n}", role, "long", None if n == 0 else 10 + n)
        for n in range(20)
        for role in ("Art", "Zeal", "Calm")
    ]
    scores = score_frame(rows).with_columns(pl.format("why {}", "caption_id").alias("rationale"))
    cutoffs = compute_cutoffs(scores, policy(), 5)
    pairs = apply_cut(captions_of(scores), scores, cutoffs)
    ledger = pair_ledger(pairs, scores, examples=12)
    assert ledger.captions == 60
    assert ledger.kept == round(57 / 5) == 11
    assert ledger.dropped == {"below_cut": 46, "unscored": 3}
    assert ledger.images == pairs.filter("kept")["image_id"].n_unique()
    by_role = ledger.examples.group_by("reason", "role").len()
    assert by_role.height == 6  # each reason and role is there
    assert ledger.examples.height == 12
    for row in ledger.examples.iter_rows(named=True):
        assert row["rationale"] == f"why {row['caption_id']}"
        assert row["text"] == f"text of {row['caption_id']}"
    shuffled = pair_ledger(pairs.sample(fraction=1, shuffle=True, seed=3), scores, examples=12)
    assert shuffled.examples.equals(ledger.examples)


def test_a_dropped_pair_without_a_reason_is_an_error() -> None:
    scores = score_frame([("s1", "a", "Art", "long", 5), ("s1", "b", "Art", "long", 6)])
    scores = scores.with_columns(pl.lit("why").alias("rationale"))
    pairs = apply_cut(captions_of(scores), scores, compute_cutoffs(scores, policy(), 2))
    silent = pairs.with_columns(pl.lit(None, pl.String).alias("reason"))
    with pytest.raises(ValueError, match="every dropped pair has a reason"):
        pair_ledger(silent, scores)
