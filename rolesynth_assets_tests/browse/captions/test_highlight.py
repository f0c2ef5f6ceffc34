from rolesynth_assets.browse.captions.highlight import marked


def test_words_are_marked_whatever_their_ending_and_case() -> None:
    parts = list(marked("Two Dogs, dogged by a dog.", "dog TWO"))
    assert [part for part, hit in parts if hit] == ["Two", "Dogs", "dog"]
    assert "".join(part for part, _ in parts) == "Two Dogs, dogged by a dog."


def test_markup_is_a_text_like_any_other() -> None:
    text = "<b>dog</b>"
    assert "".join(part for part, _ in marked(text, "dog")) == text
    assert list(marked(text, "")) == [(text, False)]
