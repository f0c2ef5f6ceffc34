import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.captions.cleaning import MAX_REPLY_CHARS, clean

BARE = "A red apple lies on a wooden table."


@pytest.mark.parametrize(
    "wrapped",
    [
        BARE,
        f"  {BARE}\n",
        "A red apple\n\nlies  on\ta wooden table.",
        f"Caption: {BARE}",
        f"**Caption:** {BARE}",
        f"**Short caption**: {BARE}",
        f"### Description: {BARE}",
        f"Caption (short): {BARE}",
        f'"{BARE}"',
        f"\u201c{BARE}\u201d",
        f"'{BARE}'",
        f"**{BARE}**",
        f"_{BARE}_",
        f"```\n{BARE}\n```",
        f'```text\n"{BARE}"\n```',
        f'Caption: "{BARE}"',
        f"Sure! Here's a short caption for the image:\n\n{BARE}",
        f'Here is the caption: "{BARE}"',
        f"Certainly! Here is a long caption from my side: {BARE}",
        f"Observer of Details: {BARE}",
        f"**Observer of Details:** {BARE}",
        f"<think>There is an apple.</think>\n{BARE}",
        f"\ufeff{BARE}\u200b",
    ],
)
def test_wrapping_is_taken_off(wrapped: str) -> None:
    assert clean(wrapped, "Observer of Details") == BARE


@pytest.mark.parametrize(
    "caption",
    [
        '"Stop" and "Go" are painted on two doors',
        'A sign reads "Open"',
        "'Tis the season, says a banner over the shop's door",
        "'Cats' and 'Dogs' are written on the bowls",
        "A note titled shopping list: milk, eggs and bread",
        "A description of the route hangs on the wall: red for the north",
        "Here is where the road ends: a gate and a field",
        "Two * three stars on a flag",
        "*One* star and *two* moons",
    ],
)
def test_what_belongs_to_the_caption_stays(caption: str) -> None:
    assert clean(caption, "Observer of Details") == caption


def test_a_label_alone_leaves_the_label() -> None:
    assert clean("Caption:") == "Caption:"


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_and_leaves_one_line(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert "\n" not in once and "  " not in once


def test_an_endless_reply_is_cut() -> None:
    assert len(clean("a" * (2 * MAX_REPLY_CHARS))) == MAX_REPLY_CHARS
