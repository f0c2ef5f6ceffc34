"""A pattern that is searched only where one of its words is found misses nothing."""

import re
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolesynth_assets.captions.screens import links, order_words, orders, prose
from rolesynth_assets.reply_text import closing
from rolesynth_assets.reply_text.sought import Sought
from rolesynth_assets_tests.property_profiles import examples

IN_USE = [
    *prose._PERSONA,
    *prose._REFUSAL,
    *links._LOADED,
    *links._ADDRESS,
    *links._BARE_ADDRESS,
    *links._INVITED,
    *orders._ORDERS,
    orders._REQUEST,
    order_words._polite(),
    *prose._patterns_of("Keeper of Details"),
    *map(Sought, (closing._NOTE, closing._OFFER, closing._COMMENT, closing._END_MARK)),
]


@pytest.mark.parametrize(
    ("pattern", "needles"),
    [
        ("apple", {"apple"}),
        (r"\bApple\s+pie\b", {"apple"}),
        ("(?:apple|pears?|fig)s", {"apple", "pear", "fig"}),
        ("a?pple", {"pple"}),
        ("ap+le", {"le"}),
        (r"(?<!an )appl(?:e|ication)(?= pie)", {"appl"}),
        ("(?:apple|)s", {"s"}),
        ("[ab]", set()),
        ("(?:apple)?", set()),
        ("(?:apple|\\d)", set()),
        ("(?>apple)", {"apple"}),
        ("(?i:APPLE)", {"apple"}),
    ],
)
def test_the_words_of_a_pattern(pattern, needles):
    assert set(Sought(pattern).needles) == needles


@pytest.mark.parametrize("text", ["an Apple", "APPLE", "no pear", "", "\u017fug \u212a", "app le"])
@pytest.mark.parametrize("pattern", ["apple", "sug", "k", "pear|apple", "[a-c]pple"])
def test_a_search_finds_what_the_pattern_finds(pattern, text):
    plain = re.compile(pattern, re.IGNORECASE)
    found, expected = Sought(pattern).search(text), plain.search(text)
    assert (found and found.span()) == (expected and expected.span())
    assert [m.span() for m in Sought(pattern).finditer(text)] == [
        m.span() for m in plain.finditer(text)
    ]


def test_letters_that_a_pattern_takes_for_others_are_searched():
    for code in chain(range(0x20, 0x2500), range(0xA640, 0xA800), range(0xFB00, 0xFB10)):
        for letter in "iks\u03c3\u03b8\u0432":
            if re.fullmatch(letter, chr(code), re.IGNORECASE):
                assert Sought(letter).may_match(chr(code)), (letter, hex(code))


@pytest.mark.parametrize("sought", IN_USE, ids=lambda sought: sought.pattern.pattern[:40])
@settings(parent=examples(8), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_match_of_a_pattern_in_use_is_missed(sought, data):
    text = data.draw(st.from_regex(sought.pattern))
    assert sought.may_match(text)
    assert sought.may_match(text.upper()) or not sought.pattern.search(text.upper())


def test_most_patterns_in_use_have_words():
    assert sum(bool(sought.needles) for sought in IN_USE) > 0.8 * len(IN_USE)
    plain = (
        "A small red kite rises above the grey roofs of a harbour town, while two children wait."
    )
    assert sum(sought.may_match(plain) for sought in IN_USE) < 0.4 * len(IN_USE)
