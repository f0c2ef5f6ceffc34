from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.browse.captions.view import Decision, Order, View
from rolesynth_assets.errors import InputError

scores = st.none() | st.integers(1, 100)
texts = st.text(max_size=30).map(lambda text: " ".join(text.split()))
views = st.builds(
    View,
    role_set=texts,
    q=texts,
    shard=texts,
    role=texts,
    reason=texts,
    decision=st.sampled_from(["", *Decision]),
    sort=st.sampled_from(["", *Order]),
    low=scores,
    high=scores,
    page=st.integers(1, 10**6),
)


@given(views)
def test_the_address_holds_the_whole_state(view: View) -> None:
    query = view.query(page=view.page)
    assert View.of(dict(parse_qsl(query, keep_blank_values=True))) == view


def test_a_change_leads_to_the_first_page() -> None:
    view = View("roles5", role="Poet", page=7)
    assert view.query(role="") == "role_set=roles5"
    assert "page=8" in view.query(page=8)


@pytest.mark.parametrize(
    "given",
    [
        {"page": "x"},
        {"low": "-1"},
        {"high": "1e9"},
        {"sort": "sql"},
        {"decision": "?"},
    ],
)
def test_what_no_filter_can_be_is_refused_in_words(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(given))):
        View.of(given)


def test_a_search_is_sorted_by_its_matches_unless_another_order_is_chosen() -> None:
    assert View(q="dog").order is Order.BEST_MATCH
    assert View(q="dog", sort=Order.LOWEST_SCORE).order is Order.LOWEST_SCORE
    assert View().order is Order.STORED


def test_typed_words_replace_what_was_to_be_alike() -> None:
    alike = {"like": "a" * 64, "role": "Poet"}
    assert View.of(alike).like == "a" * 64
    assert View.of(alike).searched == "meaning"
    typed = View.of(alike | {"q": "dogs", "by": "both"})
    assert (typed.like, typed.q, typed.searched) == ("", "dogs", "both")
