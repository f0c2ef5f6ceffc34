from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.problems.stratified_draw import Candidacy, draw, shares

sizes = st.dictionaries(
    st.tuples(st.sampled_from(["maths", "charts"]), st.sampled_from("abcd")),
    st.integers(1, 40),
    min_size=1,
)


def pool(sizes: dict[tuple[str, ...], int], hard_every: int = 3) -> list[Candidacy]:
    return [
        Candidacy(f"{stratum}{number}", stratum, number % hard_every == 0)
        for stratum, size in sizes.items()
        for number in range(size)
    ]


@given(sizes, st.integers(0, 400))
def test_shares_add_up_and_stay_within_one_of_proportional(sizes, target: int) -> None:
    total = sum(sizes.values())
    found = shares(sizes, target)
    assert sum(found.values()) == min(target, total)
    for stratum, size in sizes.items():
        assert found[stratum] <= size
        assert abs(found[stratum] - size * min(target, total) / total) < 1


@given(sizes, st.integers(1, 100), st.integers(0, 5))
def test_hard_ones_go_first_within_every_stratum(sizes, target: int, seed: int) -> None:
    rows = pool(sizes)
    drawn = draw(rows, target, seed)
    for stratum in sizes:
        of = [row for row in rows if row.stratum == stratum]
        left_hard = [row for row in of if row.hard and row.key not in drawn]
        taken_easy = [row for row in of if not row.hard and row.key in drawn]
        assert not (left_hard and taken_easy)


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    rows = pool({("maths", "a"): 30, ("maths", "b"): 10})
    assert draw(rows, 20, 1) == draw(rows[::-1], 20, 1)
    assert draw(rows, 20, 1) != draw(rows, 20, 2)
    assert len(draw(rows, 20, 1)) == 20
    assert draw(rows, 41, 1) == {row.key for row in rows}


def test_one_more_row_displaces_at_most_one_of_its_stratum() -> None:
    rows = pool({("maths", "a"): 30})
    more = [*rows, Candidacy("new", ("maths", "a"), hard=True)]
    assert len(draw(rows, 20, 1) - draw(more, 20, 1)) <= 1
