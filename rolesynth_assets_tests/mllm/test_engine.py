import pytest

from rolesynth_assets.mllm.engine import ChatReply, FailureReason, ModelIdentity, Sampling


def test_transient_reasons_are_the_ones_that_another_run_may_heal():
    assert {reason.value for reason in FailureReason if reason.transient} == {
        "call_failed",
        "timeout",
        "bad_response",
    }


def test_a_reply_has_either_text_or_a_reason():
    ChatReply("k", "text", None)
    ChatReply("k", None, FailureReason.EMPTY)
    for text, reason in (("text", FailureReason.EMPTY), (None, None)):
        with pytest.raises(ValueError, match="exactly one"):
            ChatReply("k", text, reason)


def test_sampling_fingerprint_depends_on_the_values_alone():
    assert Sampling(0, 1, 48).fingerprint() == Sampling(0.0, 1.0, 48).fingerprint()
    variants = [(0.7, 0.9, 48), (0.7, 0.9, 49), (0.7, 0.8, 48), (0.6, 0.9, 48)]
    assert len({Sampling(*variant).fingerprint() for variant in variants}) == 4


def test_model_fingerprint_is_the_weights_not_the_door():
    one = ModelIdentity("openai", "qwen", "abc")
    assert one.fingerprint() == ModelIdentity("vllm", "qwen", "abc").fingerprint()
    assert one.fingerprint() != ModelIdentity("openai", "qwen", "abd").fingerprint()
    assert one.fingerprint() != ModelIdentity("openai", "qwena", "bc").fingerprint()
