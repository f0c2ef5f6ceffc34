"""Texts that make patterns repeat their work are read in a bounded number of steps.

A pattern whose time grows with the square of the text needs minutes for the long texts here.
"""

import pytest

from rolesynth_assets.captions.screens.links import find_link
from rolesynth_assets.captions.screens.orders import find_order
from rolesynth_assets.captions.screens.prose import find_no_prose, find_persona, find_refusal
from rolesynth_assets.pairs.score_reply import parse_score
from rolesynth_assets.reply_text.caption import clean_caption
from rolesynth_assets.reply_text.languages import find_other_language
from rolesynth_assets.reply_text.rule import MAX_REPLY_CHARS
from rolesynth_assets.reply_text.sentences import sentences

UNITS = [
    *("a-", "word-", "a.", "a ", "1 ", ". ", "a@", "'a", '"', "[", "(", "<", "*", "_", "#"),
    *("[INST] ", "<eos>", "<br>", "\\n", "Caption 1: ", '"Caption 1: ', "gib: ", "poderia. "),
    *("visit-", "sign a.com ", "please ", "put ", "dot "),
    *("|", "!", ".'", "```a-", "<!--", "\u2026"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_text_of_one_unit_is_read(unit: str) -> None:
    text = "A red apple. " + unit * (MAX_REPLY_CHARS // len(unit)) + " x"
    cleaned = clean_caption(text, "long", "Visual Setter")
    assert len(cleaned.text) <= MAX_REPLY_CHARS
    parse_score(text)
    line = " ".join(text.split())
    for screen in (find_link, find_order, find_no_prose, find_refusal, find_persona):
        found = screen(line)
        assert found is None or len(found) <= MAX_REPLY_CHARS
    find_other_language(line, "en")


@pytest.mark.parametrize(
    ("find", "unit"),
    [
        (find_link, "a-"),
        (find_link, "\u00e9-"),
        (sentences, "!"),
        (sentences, ".'"),
        (lambda text: clean_caption(text[:MAX_REPLY_CHARS]), "<eos>"),
    ],
    ids=["label", "accented label", "marks", "marks and quotes", "turns"],
)
def test_a_run_far_longer_than_a_reply_is_read(find, unit) -> None:
    find(unit * (10**5 // len(unit)) + "x")
