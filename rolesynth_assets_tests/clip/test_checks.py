import math

import pytest

from rolesynth_assets.clip.checks import (
    few_captions_cut,
    loss_falls,
    loss_finite,
    reload_reproduces,
)


def test_finite_losses_pass_and_any_other_fails():
    assert loss_finite([3.0, 2.0], 2).passed
    bad = loss_finite([3.0, math.nan, 2.0, math.inf], 4)
    assert not bad.passed
    assert (bad.value, bad.threshold) == (2, 0)
    assert bad.metadata["first_bad_steps"] == [1, 3]
    assert not loss_finite([], 4).passed
    assert loss_finite([], 0).passed  # a recipe without steps


def test_a_falling_loss_passes_and_a_flat_one_fails():
    falling = loss_falls([4.0 - 0.02 * k for k in range(100)], 100)
    assert falling.passed
    assert falling.value == pytest.approx((3.91 - 2.11) / 3.91)  # means of ten steps each
    assert not loss_falls([4.0] * 100, 100).passed
    assert not loss_falls([2.0 + 0.02 * k for k in range(100)], 100).passed
    assert not loss_falls([4.0], 1).passed
    assert not loss_falls([4.0, math.nan], 2).passed


def test_the_wanted_fall_is_a_threshold():
    losses = [4.0] * 5 + [3.6] * 5
    assert loss_falls(losses, len(losses), min_drop=0.09).passed
    refused = loss_falls(losses, len(losses), min_drop=0.11)
    assert not refused.passed
    assert refused.threshold == 0.11


def test_reproduced_logits_pass_and_others_fail():
    assert reload_reproduces(1e-6).passed
    assert not reload_reproduces(0.5).passed
    assert not reload_reproduces(math.nan).passed
    assert reload_reproduces(0.5, tolerance=1.0).passed


def test_cut_captions_are_counted_against_a_share():
    few = few_captions_cut(5, 100)
    assert (few.passed, few.value, few.threshold) == (True, 0.05, 0.05)
    many = few_captions_cut(60, 100, max_share=0.5)
    assert not many.passed
    assert "60 of 100 captions" in many.description and "context_length" in many.description
    assert few_captions_cut(0, 0).passed
