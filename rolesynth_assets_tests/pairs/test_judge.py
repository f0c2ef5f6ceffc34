import pytest

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.pairs.judge import (
    MAX_RATIONALE,
    Judgement,
    JudgePrompt,
    ScoreReason,
    judge_prompt,
    judge_reply,
    parse_score,
)
from rolesynth_assets.roles.role import PromptTemplates, Role


def make_role(**changes: str) -> Role:
    fields = {"name": "Observer", "responsibilities": "Name each object.", "system": "Write."}
    templates = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")
    return Role(templates=templates, **{**fields, **changes})


@pytest.mark.parametrize(
    ("text", "score", "rationale"),
    [
        ("87", 87, None),
        ("1", 1, None),
        ("100", 100, None),
        ("87.", 87, None),
        ("87/100", 87, None),
        ("87 / 100.", 87, None),
        ("87 out of 100", 87, None),
        ("Score: 87", 87, None),
        ("SCORE = 87/100\nReason: names every  object.", 87, "names every object."),
        ("**87**\nGood.", 87, "Good."),
        ("\n  87 \n\n The dog\nis there. ", 87, "The dog is there."),
        ("87: names every object", 87, "names every object"),
        ("87 - names every object\nand more", 87, "names every object and more"),
        ("87\n3 of 4 objects", 87, "3 of 4 objects"),
    ],
)
def test_score_on_the_first_line(text: str, score: int, rationale: str | None) -> None:
    assert parse_score(text) == Judgement(score, rationale)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ScoreReason.EMPTY),
        (" \n\t", ScoreReason.EMPTY),
        ("0", ScoreReason.OUT_OF_RANGE),
        ("101", ScoreReason.OUT_OF_RANGE),
        ("-5", ScoreReason.OUT_OF_RANGE),
        ("999999999/100", ScoreReason.OUT_OF_RANGE),
        ("87.5", ScoreReason.NOT_AN_INTEGER),
        ("87,5/100", ScoreReason.NOT_AN_INTEGER),
        ("8 7", ScoreReason.AMBIGUOUS),
        ("80-90", ScoreReason.AMBIGUOUS),
        ("8/10", ScoreReason.AMBIGUOUS),
        ("3 dogs run on a meadow.", ScoreReason.AMBIGUOUS),
        ("1. The caption is true.", ScoreReason.AMBIGUOUS),
        ("1e2", ScoreReason.AMBIGUOUS),
        ("9" * 5000, ScoreReason.AMBIGUOUS),
        ("eighty-seven", ScoreReason.NO_SCORE),
        ("The caption is good.\n87", ScoreReason.NO_SCORE),
        ("١٢", ScoreReason.NO_SCORE),
    ],
)
def test_what_is_no_score(text: str, reason: ScoreReason) -> None:
    assert parse_score(text) is reason


def test_rationale_is_bounded() -> None:
    judged = parse_score("50\n" + "word " * 10_000)
    assert isinstance(judged, Judgement)
    assert judged.rationale is not None
    assert len(judged.rationale) <= MAX_RATIONALE


def test_truncated_reply_counts_when_its_first_line_is_whole() -> None:
    def truncated(detail: str) -> ChatReply:
        return ChatReply("k", None, FailureReason.TRUNCATED, detail=detail)

    assert judge_reply(truncated("87\nIt names the dog but")) == (87, "It names the dog but")
    assert judge_reply(truncated("8")) is ScoreReason.TRUNCATED
    assert judge_reply(truncated("I think\nthat")) is ScoreReason.TRUNCATED


@pytest.mark.parametrize("reason", list(FailureReason))
def test_each_engine_failure_is_a_score_reason(reason: FailureReason) -> None:
    assert judge_reply(ChatReply("k", None, reason)) == reason.value


def test_prompt_words_are_within_the_small_models_context() -> None:
    prompt = judge_prompt()
    instruction = prompt.template.split("{caption}")[1]
    assert len(prompt.system.split()) <= 25
    assert len(instruction.split()) <= 40
    assert "1 to 100" in instruction


def test_prompt_puts_braces_of_a_caption_through_unchanged() -> None:
    role = make_role(responsibilities="Name {caption} here.")
    text = judge_prompt().render(role, "A  {name} sign.\nAnd {0}.")
    assert text.startswith("Role: Observer. Name {caption} here. Caption: (")
    assert " A {name} sign. And {0}. " in text
    assert "\n" not in text


def test_prompt_fingerprint_follows_the_wording() -> None:
    first = JudgePrompt("system", "{caption}")
    assert first.fingerprint == JudgePrompt("system", "{caption}").fingerprint
    assert first.fingerprint != JudgePrompt("System", "{caption}").fingerprint
    assert first.fingerprint != JudgePrompt("system", "{caption} now").fingerprint
