"""What a reader sees of a text that someone else wrote: its letters, and nothing made of them."""

import pytest

from rolesynth_assets.pictures.markdown import (
    Markdown,
    bold,
    cell,
    code,
    heading,
    image,
    quote,
    table,
    text,
)
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.pictures.rendered import letters, markup, seen_table

PNG = b"\x89PNG\r\n\x1a\n"
ALL = hostile_texts()


@pytest.mark.parametrize("said", ALL)
def test_every_writer_shows_the_letters_and_nothing_else(said: str) -> None:
    assert markup(text(said)) == ["p"]
    assert letters(text(said)) == shown(said)
    assert markup(f"before {cell(said)} after") == ["p"]
    assert markup(f"before {code(said)} after") in (["p"], ["p", "code"])
    assert letters(f"before {code(said)} after") == f"before {shown(said)} after"
    assert markup(f"before {bold(said)} after") in (["p", "strong"], ["p"])
    assert markup(heading(2, said)) == ["h2"]
    assert set(markup(quote(said))) == {"blockquote", "p"}
    assert markup(image(PNG, said)) == ["p", "img"]
    assert markup(f"- {text(said)}") in (["ul", "li"], ["ul", "li", "p"])


@pytest.mark.parametrize("said", ALL)
def test_a_table_keeps_its_columns(said: str) -> None:
    rows = [[said, "a"], ["b", said]]
    seen = seen_table(table(["x", said], rows))
    assert seen == [["x", shown(said)], [shown(said), "a"], ["b", shown(said)]]


def test_plain_text_stays_as_it_is() -> None:
    said = "Two cats (one grey), 3.5 m apart; is roles5_vit_b16 at 5-6 % & more? Yes!"
    assert text(said) == said
    assert code("roles5_vit_b16") == "`roles5_vit_b16`"


def test_half_of_a_surrogate_pair_can_be_written_to_a_file() -> None:
    assert text("a\ud800b").encode() == "a\ufffdb".encode()


def test_what_is_markdown_already_is_not_escaped_twice() -> None:
    assert table([code("a"), Markdown("[1, 2]")], [["", 3]], "lr") == (
        "| `a` | [1, 2] |\n| --- | ---: |\n|  | 3 |"
    )


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 columns got a row of 1"):
        table(["a", "b"], [["a"]])


def shown(said: str) -> str:
    """What of a text can be seen: white space as one space, no control characters."""
    unseen = "\x00\x1b\u202e\u202c"
    return "".join("\ufffd" if c in unseen else c for c in " ".join(said.split()))
