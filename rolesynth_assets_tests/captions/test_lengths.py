import pytest

from rolesynth_assets.captions.lengths import DEFAULT_POLICY, CaptionPolicy, LengthKind, LengthRule
from rolesynth_assets.mllm.engine import Sampling


def test_the_default_bounds_are_the_papers() -> None:
    assert DEFAULT_POLICY["long"].min_words == 10
    assert DEFAULT_POLICY["short"].min_words == 4
    assert DEFAULT_POLICY[LengthKind.LONG].sampling == Sampling(0.7, 0.9, 200)
    assert DEFAULT_POLICY[LengthKind.SHORT].sampling == Sampling(0.7, 0.9, 48)


def test_a_policy_needs_one_rule_for_each_kind() -> None:
    long = DEFAULT_POLICY["long"]
    with pytest.raises(ValueError, match="one rule for each length kind"):
        CaptionPolicy((long, long))
    with pytest.raises(ValueError, match="one rule for each length kind"):
        CaptionPolicy(())
    with pytest.raises(KeyError, match="no rule for 'short'"):
        CaptionPolicy((long,))["short"]


def test_bounds_that_keep_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="5 to 4 words"):
        LengthRule(LengthKind.SHORT, 5, 4, Sampling(0.7, 0.9, 48))
