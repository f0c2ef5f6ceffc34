import pytest
from pydantic import ValidationError

from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.captions.settings import CaptionSettings
from rolesynth_assets.mllm.engine import Sampling


def test_the_defaults_are_the_policy_that_stored_captions_were_asked_by() -> None:
    assert CaptionSettings().policy == DEFAULT_POLICY


def test_bounds_sampling_and_rules_can_be_set() -> None:
    settings = CaptionSettings.model_validate(
        {"short": {"min_words": 2, "temperature": 0}, "uncut": ["hashtags"]}
    )
    short = settings.policy["short"]
    assert (short.min_words, short.sampling) == (2, Sampling(0, 0.9, 48))
    assert settings.policy.uncut == {"hashtags"}
    assert settings.policy.digest != DEFAULT_POLICY.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"long": {"min_words": 300}}, "leaves nothing to keep"),
        ({"long": {"min_words": 0}}, "min_words"),
        ({"uncut": ["hashtag"]}, "no rule hashtag; there are invisible, thinking"),
    ],
)
def test_what_makes_no_sense_is_refused(content: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CaptionSettings.model_validate(content)
