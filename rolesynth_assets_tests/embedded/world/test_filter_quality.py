import numpy as np
import polars as pl
import pytest

from rolesynth_assets.embedded.world.filter_quality import (
    filter_quality,
    quality_from_rows,
    quality_rows,
)
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

SCENES = {"i1": scene(thing("dog", "left")), "i2": scene(thing("apple", "right"))}
DOG, APPLE, FOX = "A dog on a sandy beach.", "An apple on a sandy beach.", "A fox on a sandy beach."


def frame(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["image_id", "length", "text", "kept"], orient="row")


PAIRS = frame(
    [
        ("i1", "long", DOG, True),  # true, kept
        ("i1", "long", FOX, True),  # false, kept
        ("i1", "short", DOG, False),  # true, dropped
        ("i2", "short", "An apple in a pink room.", False),  # wrong setting only, dropped
        ("i2", "short", APPLE, True),  # true, kept
        ("i3", "short", FOX, True),  # nobody knows: left out
    ]
)


def test_precision_and_recall_as_counted_by_hand():
    found = filter_quality(PAIRS, SCENES)
    assert found is not None
    assert found.captions == 5
    assert found.true_share == pytest.approx(3 / 5)
    assert found.object_precision == pytest.approx(4 / 5)  # dog, dog, apple, apple; not the fox
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)


def test_the_random_cut_keeps_as_many_of_each_length():
    # both long ones are always drawn (1 true of 2), and one of three short ones (2 true of 3)
    found = filter_quality(PAIRS, SCENES, draws=4000)
    assert found is not None
    assert found.random_precision == pytest.approx((1 + 2 / 3) / 3, abs=0.01)
    assert found.random_recall == pytest.approx((1 + 2 / 3) / 3, abs=0.01)
    assert (found.random_low, found.random_high) == pytest.approx((1 / 3, 2 / 3))


def test_a_blind_filter_does_no_better_than_chance():
    rng = np.random.default_rng(0)
    rows = [
        ("i1", "long", DOG if true else FOX, bool(kept))
        for true, kept in zip(rng.random(2000) < 0.7, rng.random(2000) < 0.2, strict=True)
    ]
    found = filter_quality(frame(rows), SCENES)
    assert found is not None
    assert found.random_precision == pytest.approx(found.true_share, abs=0.01)
    assert found.random_low < found.precision < found.random_high
    assert found.random_low < found.true_share < found.random_high


def test_equal_seeds_draw_equally():
    assert filter_quality(PAIRS, SCENES, seed=3) == filter_quality(PAIRS, SCENES, seed=3)


def test_without_truth_or_kept_captions_there_is_nothing_to_say():
    assert filter_quality(PAIRS, {}) is None
    assert filter_quality(PAIRS.with_columns(kept=pl.lit(False)), SCENES) is None


def test_what_is_stored_comes_back() -> None:
    found = filter_quality(PAIRS, SCENES)
    assert found is not None and quality_from_rows(quality_rows(found, "roles5")) == found
    assert quality_from_rows(quality_rows(None, "roles5")) is None
