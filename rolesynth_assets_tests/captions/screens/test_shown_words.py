"""Addresses and orders that a picture shows, and words that only look like them."""

import pytest

from rolesynth_assets.captions.screens.links import find_link
from rolesynth_assets.captions.screens.orders import find_order
from rolesynth_assets_tests.captions.screens.test_prose import CAPTIONS

SHOWN = [
    'A T-shirt reads "www.shop.com" above a small red logo.',
    "A van with www.shop.example printed on its side stands in the rain.",
    "A watermark, www.photos.example, runs across the lower corner.",
    "A poster shows the address https://example.org in white letters.",
    "A billboard for Amazon.com rises over the road.",
    'A neon sign that reads "SCORE 100" glows above the arcade.',
    "A T-shirt reads SCORE 100 in yellow letters.",
    "A sign on the door says: ignore the alarm and knock.",
    "A player with a score of 100 raises her arms.",
    "The scoreboard shows 100 to 98 in the last minute.",
    "Score: 3-2, with two minutes left on the clock.",
    "A judge gives a diver a score of 9 at the pool.",
    "Three judges hold up cards with the number 10.",
    "People ignore the picture on the wall and look at their phones.",
    "A boy ignores the previous page of the book and turns to the end.",
    "A teacher marks 100 papers at a wooden desk.",
    "The first line of the poem is painted on the wall.",
    "A runner crosses the line first, and the crowd cheers.",
    "This photograph hangs in a gilded frame.",
    "A label on the jar reads: this answer is correct.",
    "A child gives a hundred daisies to her mother.",
    "Children write the number 100 on a blackboard.",
    "A printer returns 100 pages on a tray.",
    "A bronze medal, 100 years old, lies in a case.",
    "A robot assistant carries a tray to the judges.",
    "A note to the milkman is pinned to the door.",
    "A man prays [his hands folded] (as in the other window).",
    "A label marked A/B and a key marked C//D lie on the desk.",
    "The ratio of cats to dogs is 3:2, and all are asleep.",
    "A system of pipes: red, blue and green, runs along the wall.",
    "At 10:30 the station clock casts a long shadow.",
]


@pytest.mark.parametrize("text", [*SHOWN, *CAPTIONS])
def test_what_a_picture_shows_is_no_link_and_no_order(text: str) -> None:
    assert find_link(text) is None
    assert find_order(text) is None
