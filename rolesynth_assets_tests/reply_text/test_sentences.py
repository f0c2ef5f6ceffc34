import pytest

from rolesynth_assets.reply_text.sentences import count_words, own_words, sentences


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("A red apple.", 3),
        ("Ein gr\u00fcner \u2014 Apfel", 4),
        ("\u4e00\u4e2a\u7ea2\u82f9\u679c\u3002", 5),
        ("\u4e24\u53f0 iPhone \u624b\u673a", 5),
        ("iPhone\u624b\u673a", 3),
        ("\ube68\uac04 \uc0ac\uacfc", 2),
        ("\u0e41\u0e2d\u0e1b\u0e40\u0e1b\u0e34\u0e49\u0e25\u0e2a\u0e35\u0e41\u0e14\u0e07", 10),
    ],
)
def test_letters_count_where_words_have_no_spaces(text: str, words: int) -> None:
    assert count_words(text) == words


def test_sentences_end_at_marks_and_lines() -> None:
    assert sentences("One. Two!\nThree 1.5 \u2014 \u201cfour?\u201d Five") == [
        "One.",
        "Two!",
        "Three 1.5 \u2014 \u201cfour?\u201d",
        "Five",
    ]
    assert sentences("\u4e00\u3002\u4e8c\u3002") == ["\u4e00\u3002", "\u4e8c\u3002"]


def test_words_in_quotation_marks_of_any_kind_are_not_the_writers() -> None:
    for quoted in ('"I see"', "\u201cI see\u201d", "\u201eI see\u201c", "\u00abI see\u00bb"):
        assert own_words(f"A card with {quoted} on it") == 'A card with "" on it'
