import pytest

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.pairs.score_reply import (
    MAX_RATIONALE,
    Judgement,
    ScoreReason,
    judge_reply,
    parse_score,
)


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
        ("85%", 85, None),
        ("85 points", 85, None),
        ("85 \u2705", 85, None),
        ("The score is 85.", 85, None),
        ("Final score: 87", 87, None),
        ("The caption is true. Final score: 85", 85, "The caption is true."),
        ("Rating: 85/100. It misses 1 or 2 objects.", 85, "It misses 1 or 2 objects"),
        ("I would give this caption a score of 85 out of 100.", 85, None),
        ("I'd rate it 85/100 because it is true.", 85, "because it is true"),
        ("Score (1-100): 85", 85, None),
        ("On a scale of 1 to 100, 85.", 85, None),
        ("**Score:** 85\n**Reason:** good", 85, "good"),
        ("1. True.\n2. Fits.\nScore: 85", 85, "1. True. 2. Fits."),
        ("\u5f97\u5206\uff1a85\u5206", 85, None),
        ("Answer: 85", 85, None),
        ("<think>80? 90?</think>85\nok", 85, "ok"),
        ("I think of 80.\n</think>\n\n85", 85, None),
        ("```\n85\n```", 85, None),
        ("\\boxed{85}", 85, None),
        ("<|im_start|>assistant\n85<|im_end|>", 85, None),
        ("<score>85</score>", 85, None),
        ('{"score": 85, "reason": "good"}', 85, "good"),
        ('```json\n{"score": "85/100"}\n```', 85, None),
        ("The caption is good.\n87", 87, "The caption is good."),
        ("The caption is good.\n\n**87/100**", 87, "The caption is good."),
        ("Sure! 85", 85, None),
        ("Overall: 85", 85, None),
        ("This caption deserves an 85.", 85, None),
        ("I give it an 85.", 85, None),
        ("I think 85 is a fair score.", 85, None),
        ("85 because it is true", 85, "because it is true"),
        ("85 of 100", 85, None),
        ("\uff18\uff15", 85, None),
        ("Score\uff1a\uff18\uff15", 85, None),
        ("Score: 85\nIt is good.\nScore: 85", 85, "It is good. Score: 85"),
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
        ("85, maybe 90", ScoreReason.AMBIGUOUS),
        ("Score: 85 or 90", ScoreReason.AMBIGUOUS),
        ("Score: between 80 and 90", ScoreReason.AMBIGUOUS),
        ("Score: 80. Final score: 87", ScoreReason.AMBIGUOUS),
        ("80\nFinal score: 87", ScoreReason.AMBIGUOUS),
        ("87 Score: 85", ScoreReason.AMBIGUOUS),
        ("Score: 8/10", ScoreReason.AMBIGUOUS),
        ('{"score": 8, "max_score": 10}', ScoreReason.AMBIGUOUS),
        ('{"truth_score": 80, "role_score": 90}', ScoreReason.AMBIGUOUS),
        ("\\boxed{80} or \\boxed{90}", ScoreReason.AMBIGUOUS),
        ("Score: 85.5", ScoreReason.NOT_AN_INTEGER),
        ("Score: 850", ScoreReason.OUT_OF_RANGE),
        ("The caption is 100% true.", ScoreReason.NO_SCORE),
        ("The caption names 3 dogs.", ScoreReason.NO_SCORE),
        ("<think>I would say 85", ScoreReason.EMPTY),
        ("9" * 5000, ScoreReason.AMBIGUOUS),
        ("eighty-seven", ScoreReason.NO_SCORE),
        ("85\n\n90", ScoreReason.AMBIGUOUS),
        ("Score: 85, 90", ScoreReason.AMBIGUOUS),
        ("The truth:\n85\nThe role:\n90", ScoreReason.AMBIGUOUS),
        ("Overall: 3 of 4 objects are true.", ScoreReason.NO_SCORE),
        ("The caption deserves praise for its 3 dogs.", ScoreReason.NO_SCORE),
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


def test_truncated_reply_counts_when_its_score_is_whole() -> None:
    def truncated(detail: str) -> ChatReply:
        return ChatReply("k", None, FailureReason.TRUNCATED, detail=detail)

    assert judge_reply(truncated("87\nIt names the dog but")) == (87, "It names the dog but")
    assert judge_reply(truncated("The score is 85. It names")) == (85, "It names")
    assert judge_reply(truncated("8")) is ScoreReason.TRUNCATED
    assert judge_reply(truncated("Score: 8")) is ScoreReason.TRUNCATED
    assert judge_reply(truncated("1. The caption is tr")) is ScoreReason.TRUNCATED
    assert judge_reply(truncated("I think\nthat")) is ScoreReason.TRUNCATED


@pytest.mark.parametrize("reason", list(FailureReason))
def test_each_engine_failure_is_a_score_reason(reason: FailureReason) -> None:
    assert judge_reply(ChatReply("k", None, reason)) == reason.value


@pytest.mark.parametrize(
    "reply",
    [
        "Final answer: \\(85\\)",
        "Final answer: $85$",
        "On a scale from 1 to 100, I'd give this caption a 85.",
        "I gave the caption an 85.",
        "| Score | 85 |",
        "| Score |\n|---|\n| 85 |",
        "85 (out of 100)",
        "85 (/100)",
        '{"score":85}{"score":85}',
        '{"my_number": 85, "scale": 100}',
    ],
)
def test_a_score_in_other_wrappers(reply: str) -> None:
    assert parse_score(reply)[0] == 85


@pytest.mark.parametrize(
    "reply",
    [
        '{"scores": {"object": 80, "text": 90}}',
        '{"object": "80", "text": "90"}',
        '{"score":85}{"score":90}',
        '{"score":85}\n{"score":90}',
        "| Object | 80 |\n| Text | 90 |",
        "| 85 | 90 |",
    ],
)
def test_two_numbers_are_no_score(reply: str) -> None:
    assert isinstance(parse_score(reply), ScoreReason)
