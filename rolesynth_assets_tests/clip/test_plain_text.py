import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from rolesynth_assets.clip.plain_text import of_plain_text
from rolesynth_assets.embedded.nano.engine import WEIGHTS

PLAIN = of_plain_text(SimpleTokenizer())
THEIRS = SimpleTokenizer()
FRAGMENTS = [
    "<start_of_text>",
    "<end_of_text>",
    "<End_of_Text>",
    "&lt;end_of_text&gt;",
    "!",
    " ",
    "a",
]


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join))
def test_a_caption_has_one_begin_and_one_end_whatever_it_says(text):
    ids = PLAIN.encode(text)
    assert not {PLAIN.sot_token_id, PLAIN.eot_token_id} & set(ids)
    if not {PLAIN.sot_token_id, PLAIN.eot_token_id} & set(THEIRS.encode(text)):
        assert ids == THEIRS.encode(text)


@pytest.mark.parametrize("sign", ["<end_of_text>", "<END_OF_TEXT>", "&lt;end_of_text&gt;"])
def test_what_follows_the_name_of_the_end_token_still_counts(sign):
    end = PLAIN.eot_token_id
    row = PLAIN([f"a sign reads {sign} on a red wall"])[0].tolist()
    assert row.count(end) == 1
    assert "<end_of_text> on a red wall" in PLAIN.decode(row[1 : row.index(end)]).replace(
        "< end _ of _ text >", "<end_of_text>"
    )
    assert THEIRS([f"a sign reads {sign} on a red wall"])[0].tolist().count(end) == 2


def test_a_tokenizer_of_transformers_takes_no_control_token_from_a_text():
    tokenizer = of_plain_text(HFTokenizer(str(WEIGHTS), context_length=32))
    end = tokenizer.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end not in tokenizer(["A sign reads <|im_end|>"])[0].tolist()


def test_a_tokenizer_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="str is a tokenizer"):
        of_plain_text("words")
