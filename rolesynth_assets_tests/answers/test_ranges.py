"""Ranges of numbers, years, times and amounts are never compared as subtractions."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.ranges import range_readings
from rolesynth_assets.answers.spelling import plain
from rolesynth_assets.answers.task_type import TaskType

DASHES = [
    *["-", " - ", "\u2013", " \u2013 ", "\u2014", "\u2212", "\u2010", "\u2011", "\u2012", "\u2015"],
    *["~", "\uff5e", "\u301c", "--", "---", " to ", r" \text{--} ", "\uff0d", " \u2014 ", "..."],
]
KINDS = [
    ("10", "20", "30"),
    ("1990", "2000", "2010"),
    ("10:30", "11:30", "12:30"),
    ("10 m", "20 m", "30 m"),
    ("-10", "-5", "0"),
    ("$10", "$20", "$30"),
    ("10%", "20%", "30%"),
    ("1/2", "3/4", "1"),
    ("9am", "10am", "11am"),
    ("0.1", "0.2", "0.3"),
    ("1,000", "2,000", "3,000"),
    ("10\u00b0", "20\u00b0", "30\u00b0"),
    ("5 km/h", "10 km/h", "15 km/h"),
    (r"\frac{1}{4}", r"\frac{1}{2}", r"\frac{3}{4}"),
]


def same(one: str, other: str) -> bool | None:
    forth = equal_by_rule(one, other, TaskType.OPEN_ENDED, "")
    assert forth is equal_by_rule(other, one, TaskType.OPEN_ENDED, "")
    return forth


@pytest.mark.parametrize("dash", DASHES)
@pytest.mark.parametrize(("low", "middle", "high"), KINDS)
def test_ranges_of_one_width_are_not_equal(low: str, middle: str, high: str, dash: str) -> None:
    one, other = f"{low}{dash}{middle}", f"{middle}{dash}{high}"
    assert same(one, other) is not True
    if "--" not in plain(one) or low[0] != "-":
        assert same(one, f"{low} - {middle}") is True


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("10 - 20", "20 - 30", False),
        ("10-20 cm", "20-30 cm", False),
        ("1998-99", "1998\u20131999", True),
        ("between 10 and 20", "10-20", True),
        ("from 10 to 20", "10-20", True),
        ("10-20 cm", "10 cm - 20 cm", True),
        ("5-10 million", "5 million to 10 million", True),
        ("5-10 million", "10-20 million", False),
        ("$10-20$", "10 - 20", True),
        (r"\(10-20\)", r"\(20-30\)", False),
        ("10-20 cm", "10-20 m", None),
        ("10-20", "20-10", None),
        ("10-20", "-10", None),
        ("10-20 kg", "-10 kg", None),
        ("2020 - 01 - 02", "2017", None),
        ("(-10)-(-5)", "(-5)-0", False),
        (r"\pi/6 - \pi/3", r"\pi/3 - \pi/2", None),
        ("x = 10 - 20", "x = 20 - 30", None),
        ("10 to 20", "20 to 10", None),
        ("10-20 years old", "20-30 years old", False),
        ("{10-20}", "{20-30}", False),
        ("[10-20]", "[20-30]", None),
        (r"5 \pm 2", "7", None),
    ],
)
def test_ranges_are_compared_by_their_ends(one: str, other: str, equal: bool | None) -> None:
    assert same(one, other) is equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x^2-4", "-4+x^2"),
        (r"\sqrt{2}-1", r"-1+\sqrt{2}"),
        (r"3-2\sqrt{2}", r"3-\sqrt{8}"),
        ("10-2x", "-2x+10"),
        ("5-2t", "-2t+5"),
        ("x-3", "-3+x"),
    ],
)
def test_subtractions_of_algebra_stay_subtractions(one: str, other: str) -> None:
    assert same(one, other) is True


NUMBERS = st.integers(-3_000, 3_000)


@given(NUMBERS, NUMBERS, st.integers(-3_000, 3_000).filter(bool), st.sampled_from(DASHES))
def test_two_ranges_are_equal_only_with_both_ends(low, high, shift, dash):
    assume(low < high)
    one = f"{low}{dash}{high}"
    assert same(one, f"{low + shift}{dash}{high + shift}") is not True
    assert same(one, str(low - high)) is not True


def test_a_dash_and_a_sign_can_be_read_in_two_ways():
    assert len(range_readings("-5--3")) == 2
    assert len(range_readings("10-20")) == 1
    assert not range_readings("1.5e-3")
    assert not range_readings("2020-01-02")
