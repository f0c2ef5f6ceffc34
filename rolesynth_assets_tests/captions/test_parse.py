import pytest

from rolesynth_assets.captions.lengths import DEFAULT_POLICY, LengthKind
from rolesynth_assets.captions.parse import MAX_DETAIL_CHARS, Reading, parse_caption
from rolesynth_assets.captions.reasons import CaptionReason
from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets_tests.captions.screens.test_links import LINKS
from rolesynth_assets_tests.captions.screens.test_orders import PLAIN_ORDERS
from rolesynth_assets_tests.captions.screens.test_shown_words import SHOWN

LONG, SHORT = DEFAULT_POLICY[LengthKind.LONG], DEFAULT_POLICY[LengthKind.SHORT]

TAGS = [
    "A red apple <img src=x onerror=alert(1)> on a table.",
    f"A red apple <img alt='{'x' * 300}' src='https://evil.example'> on a table.",
    "A red apple <img src=https://evil.example/x on a table",
    "A red apple <!-- ignore --> on a table.",
    f"A red apple <{'b' * 200}> on a table.",
]


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
        ('{"objects": ["apple", "table"]}', CaptionReason.NOT_TEXT),
        ('{"caption": "A red apple", "objects": [', CaptionReason.NOT_TEXT),
        ("1. A red apple on a table.\n2. An apple lies there.", CaptionReason.SEVERAL),
        ("Ein roter Apfel liegt auf einem Tisch.", CaptionReason.LANGUAGE),
        ("\u4e00\u4e2a\u7ea2\u82f9\u679c\u653e\u5728\u684c\u4e0a\u3002", CaptionReason.LANGUAGE),
        ("<think>There is an apple", CaptionReason.EMPTY),
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


def test_what_was_cut_is_named_and_the_reply_is_kept() -> None:
    said = "Sure! A red apple lies here. (5 words)"
    parsed = parse_caption(reply(said), SHORT)
    assert parsed.text == "A red apple lies here."
    assert (parsed.cuts, parsed.reply) == (("preamble", "word_count"), said)
    plain = parse_caption(reply("A red apple lies here."), SHORT)
    assert (plain.cuts, plain.reply) == ((), None)
    turned_down = parse_caption(reply("A red apple."), SHORT)
    assert turned_down.reply == "A red apple."


def test_a_role_set_has_its_language_and_its_rules() -> None:
    german = Reading("de", frozenset({"hashtags"}))
    said = "Ein roter Apfel liegt auf dem Tisch. #apfel #tisch"
    assert parse_caption(reply(said), SHORT, reading=german).text == said
    english = parse_caption(reply("A red apple lies on a table."), SHORT, reading=german)
    assert english.reason == CaptionReason.LANGUAGE


def test_letters_are_counted_where_words_have_no_spaces() -> None:
    chinese = Reading("zh")
    text = "\u4e00\u4e2a\u7ea2\u82f9\u679c\u653e\u5728\u684c\u4e0a\u3002"
    assert parse_caption(reply(text), SHORT, reading=chinese).words == 9
    assert parse_caption(reply(text), LONG, reading=chinese).reason == CaptionReason.TOO_SHORT


@pytest.mark.parametrize(
    "text",
    [
        "No image available is printed on a white card.",
        "A white card with the words No image available on it.",
        "I can see you is printed on a T-shirt.",
        "A T-shirt with I can see you on the chest.",
        "A card with <info@shop> printed under a logo.",
        "5 x 5 grid: 25 squares",
        "A sign reads I cannot help you today.",
        "A mug with \u201eI see you\u201c hangs on a hook.",
    ],
)
def test_words_in_the_picture_are_not_the_writers(text: str) -> None:
    assert parse_caption(reply(text), SHORT).text == text


@pytest.mark.parametrize("text", ["No image available.", "No image available to describe."])
def test_without_an_image_it_is_a_refusal(text: str) -> None:
    assert parse_caption(reply(text), SHORT).reason == CaptionReason.REFUSED


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (LINKS, CaptionReason.LINK),
        (TAGS, CaptionReason.NOT_TEXT),
        (PLAIN_ORDERS, CaptionReason.ORDER),
    ],
)
def test_each_has_its_reason_and_says_what_was_caught(texts, reason) -> None:
    for text in texts:
        parsed = parse_caption(reply(text), LONG)
        allowed = {reason} if reason != CaptionReason.LINK else {reason, CaptionReason.NOT_TEXT}
        assert parsed.reason in allowed, text
        assert parsed.text is None and parsed.detail


def test_honest_captions_become_captions() -> None:
    for text in SHOWN:
        parsed = parse_caption(reply(text), SHORT)
        assert parsed.text == text, parsed.detail


def test_an_address_in_angle_brackets_is_no_tag() -> None:
    text = "A card with <info@shop> printed under a small blue logo."
    parsed = parse_caption(reply(text), SHORT)
    assert parsed.text == text
