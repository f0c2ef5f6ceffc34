"""Tokens that are made word by word are those of open_clip."""

from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.clip.data import tokenizing
from rolesynth_assets.clip.data.tokenizing import encoder_of, token_type, tokenizer_identity
from rolesynth_assets.clip.plain_text import of_plain_text
from rolesynth_assets_tests.property_profiles import examples


def tokenizer(length=16, plain=True) -> Any:
    made = open_clip.get_tokenizer("ViT-B-16", context_length=length)
    return of_plain_text(made) if plain else made


PLAIN, AS_IT_COMES = tokenizer(), tokenizer(plain=False)
ENCODERS = [(encoder_of(PLAIN), PLAIN), (encoder_of(AS_IT_COMES), AS_IT_COMES)]
TEXTS = [
    "A photo of TWO red buses, parked; it's 4:30 (a.m.)!",
    "  spaces  at the   ends and between ",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen",
    "dogs & cats &amp; &amp;lt;b&amp;gt;",
    "an <end_of_text> within, <START_OF_TEXT>, &lt;end_of_text&gt; and a < b",
    "caf\u00e9 \u2014 \u201cquoted\u201d \u4e2d\u6587 \U0001f600",
    "l\u00c3\u00a9g\u00c3\u00a8re mojibake \u00e2\u20ac\u2122",
    "tab\tnewline\nbell\x07 del\x7f escape\x1b[31mred",
    " ",
    "supercalifragilisticexpialidocious" * 20,
]


def same_as_open_clip(encode, plain, texts) -> None:
    made = encode(texts)
    assert len(made.ids) == made.lengths.sum()
    ends = np.cumsum(made.lengths)
    longer = plain(texts, context_length=plain.context_length + 1)
    for place, row in enumerate(plain(texts).numpy()):
        ids = made.ids[ends[place] - made.lengths[place] : ends[place]]
        assert ids.tolist() == np.trim_zeros(row, "b").tolist(), texts[place]
        assert made.cut[place] == bool(longer[place, -1]), texts[place]


@pytest.mark.parametrize(("encode", "plain"), ENCODERS)
def test_all_kinds_of_texts(encode, plain):
    same_as_open_clip(encode, plain, TEXTS)


WORDS = st.sampled_from(
    ["dog", "Dog's", "<end_of_text>", "<", "&", "&lt;", "'S", "12", "-", "...", "\u2019", "\u00e9"]
)


@examples(200)
@given(st.text() | st.lists(WORDS | st.text(st.characters(codec="ascii"))).map(" ".join))
def test_any_text(text):
    for encode, plain in ENCODERS:
        same_as_open_clip(encode, plain, [text])


def test_a_bounded_number_of_words_is_remembered(monkeypatch):
    monkeypatch.setattr(tokenizing, "MOST_WORDS", 3)
    small = tokenizer(77)
    encode = encoder_of(small)
    for _ in range(2):
        same_as_open_clip(encode, tokenizer(77), TEXTS)
    assert len(encode._known) <= 3  # type: ignore[attr-defined]
    assert len(small.cache) < 30


class OtherTokenizer:
    """One with rows alone, as those of Hugging Face: a number for each letter."""

    def __init__(self, context_length=6, shift=0, vocab_size=None):
        self.context_length, self.shift = context_length, shift
        self.vocab_size = vocab_size

    def __call__(self, texts, context_length=None):
        length = context_length or self.context_length
        rows = torch.zeros((len(texts), length), dtype=torch.int64)
        for place, text in enumerate(texts):
            ids = [ord(letter) - 96 + self.shift for letter in text[:length]]
            rows[place, : len(ids)] = torch.tensor(ids)
        return rows


def test_another_tokenizer_is_asked_itself():
    other = OtherTokenizer()
    same_as_open_clip(encoder_of(other), other, ["abc", "abcdef", "abcdefg", "z"])


def test_the_type_holds_each_token():
    assert token_type(PLAIN) is np.uint16
    assert token_type(OtherTokenizer()) is np.int32
    assert token_type(OtherTokenizer(vocab_size=250_000)) is np.int32


def test_the_identity_changes_with_the_tokens():
    same = [tokenizer_identity(tokenizer()) for _ in range(2)]
    assert same[0] == same[1]
    others = [
        tokenizer(17),
        tokenizer(plain=False),
        OtherTokenizer(16),
        OtherTokenizer(16, shift=1),
    ]
    assert len({same[0], *map(tokenizer_identity, others)}) == 1 + len(others)
