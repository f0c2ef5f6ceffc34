import pytest

from rolesynth_assets.captions.lengths import DEFAULT_POLICY, LengthKind
from rolesynth_assets.captions.parse import MAX_DETAIL_CHARS, CaptionReason, parse_caption
from rolesynth_assets.mllm.engine import ChatReply, FailureReason

LONG, SHORT = DEFAULT_POLICY[LengthKind.LONG], DEFAULT_POLICY[LengthKind.SHORT]


def reply(text: str) -> ChatReply:
    return ChatReply("key", text, None, finish_reason="stop")


@pytest.mark.parametrize("reason", FailureReason)
def test_every_failure_of_an_engine_is_a_caption_reason(reason: FailureReason) -> None:
    parsed = parse_caption(ChatReply("key", None, reason, detail="x" * 2000), LONG)
    assert parsed.text is None
    assert parsed.reason is not None and str(parsed.reason) == str(reason)
    assert parsed.reason.transient == reason.transient
    assert len(parsed.detail) == MAX_DETAIL_CHARS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A red apple.", CaptionReason.TOO_SHORT),
        ("word another " * 40, CaptionReason.NOT_TEXT),
        (
            " ".join(f"w{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(61)),
            CaptionReason.TOO_LONG,
        ),
        ("I cannot help.", CaptionReason.REFUSED),
        ("I see apples.", CaptionReason.PERSONA),
        ("As an AI, I cannot describe this image.", CaptionReason.REFUSED),
        ('{"caption": "A red apple lies on a table."}', CaptionReason.NOT_TEXT),
        ("\u200b \n", CaptionReason.EMPTY),
    ],
)
def test_the_reason_says_what_to_do(text: str, reason: CaptionReason) -> None:
    parsed = parse_caption(reply(text), SHORT)
    assert parsed.text is None
    assert parsed.reason == reason


def test_bounds_are_inclusive_and_count_cleaned_words() -> None:
    four, ten = "Caption: one two three four", '"a b c d e f g h i j"'
    assert parse_caption(reply(four), SHORT).text == "one two three four"
    assert parse_caption(reply(four), SHORT).words == 4
    assert parse_caption(reply("one two three"), SHORT).reason == CaptionReason.TOO_SHORT
    assert parse_caption(reply(ten), LONG).text == "a b c d e f g h i j"
    assert parse_caption(reply("a b c d e f g h i"), LONG).reason == CaptionReason.TOO_SHORT


def test_a_text_turned_down_stays_readable_in_the_detail() -> None:
    parsed = parse_caption(reply("On the left I notice a red apple."), SHORT, "Observer of Details")
    assert parsed.detail == "'I notice': On the left I notice a red apple."
    assert parsed.words == 8


def test_the_roles_label_is_taken_off_before_the_screen() -> None:
    text = "Observer of Details: A red apple lies here."
    assert parse_caption(reply(text), SHORT, "Observer of Details").text == "A red apple lies here."
    assert parse_caption(reply(text), SHORT, "Narrative Setter").text == text
