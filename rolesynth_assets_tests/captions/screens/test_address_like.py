"""Every address has what is looked for before any pattern of addresses."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolesynth_assets.captions.screens import links
from rolesynth_assets_tests.property_profiles import examples

SLOW = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]
PATTERNS = [*links._ADDRESS, *links._BARE_ADDRESS, *links._INVITED]


@pytest.mark.parametrize("sought", PATTERNS, ids=lambda sought: sought.pattern.pattern[:30])
@settings(parent=examples(8), suppress_health_check=SLOW)
@given(data=st.data())
def test_no_address_is_missed(sought, data):
    match = sought.pattern.search(data.draw(st.from_regex(sought.pattern)))
    assert match is not None
    assert links._ADDRESS_LIKE.search(match.string)


def test_most_captions_have_none():
    assert not links._ADDRESS_LIKE.search("A kite flies. A child waits, at 5 o'clock; 3 m away.")
