import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.pictures.style import font, wrap
from rolesynth_assets_tests.property_profiles import examples

FACE = font(15)


@examples(60)
@given(st.lists(st.text("abcdefgW", min_size=1, max_size=40), max_size=25), st.integers(60, 300))
def test_no_line_is_too_wide_and_no_letter_is_lost(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), FACE, width, max_lines=1000)
    assert all(FACE.getlength(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(words)


@pytest.mark.parametrize("lines", [1, 2, 5])
def test_what_does_not_fit_ends_in_an_ellipsis(lines: int) -> None:
    wrapped = wrap("many words " * 50, FACE, 200, max_lines=lines)
    assert len(wrapped) == lines
    assert wrapped[-1].endswith("…")
    assert FACE.getlength(wrapped[-1]) <= 200


def test_text_that_fits_exactly_is_not_cut() -> None:
    text = "as wide as the line"
    assert wrap(text, FACE, int(FACE.getlength(text)) + 1, max_lines=1) == [text]
