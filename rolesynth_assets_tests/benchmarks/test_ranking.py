from itertools import permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.benchmarks.ranking import chance_of_hit, check_embeddings, hit_probability


def _by_enumeration(greater: int, right: int, wrong: int, k: int) -> float:
    """All orders of the tied candidates, written out."""
    tied = [True] * right + [False] * wrong
    orders = list(permutations(tied))
    places = max(k - greater, 0)
    return sum(any(order[:places]) for order in orders) / len(orders)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("greater", [0, 1, 3])
def test_ties_count_as_the_mean_over_all_their_orders(greater: int, k: int) -> None:
    for right in (1, 2, 3):
        for wrong in (0, 1, 3):
            [hit] = hit_probability(np.array([greater]), np.array([right]), np.array([wrong]), k)
            assert hit == pytest.approx(_by_enumeration(greater, right, wrong, k))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 30))
def test_chance_is_hypergeometric(right: int, wrong: int, k: int) -> None:
    n = right + wrong
    exact = 1.0 - comb(wrong, k) / comb(n, k) if k <= n else 1.0
    assert chance_of_hit(np.array([right]), n, k) == pytest.approx(exact, abs=1e-12)


def test_chance_with_one_right_candidate_is_k_of_n() -> None:
    assert chance_of_hit(np.array([1]), 300, 5) == pytest.approx(5 / 300)


def test_chance_of_a_large_benchmark_stays_exact() -> None:
    # COCO 5K: 5 captions among 25,000; the direct product of ten factors
    miss = np.prod([(24_995 - i) / (25_000 - i) for i in range(10)])
    assert chance_of_hit(np.full(5_000, 5), 25_000, 10) == pytest.approx(1 - miss, abs=1e-12)


def test_chance_averages_over_unequal_numbers_of_captions() -> None:
    mixed = chance_of_hit(np.array([1, 1, 4]), 6, 1)
    assert mixed == pytest.approx((1 / 6 + 1 / 6 + 4 / 6) / 3)


@pytest.mark.parametrize("fault", [np.nan, np.inf, 0.0, 3.0])
def test_a_row_that_is_no_unit_vector_is_refused(fault: float) -> None:
    rows = np.eye(3, dtype=np.float32)
    rows[1, 1] = fault
    with pytest.raises(ValueError, match="image embedding 1 has norm"):
        check_embeddings("image", rows, 3)


def test_a_wrong_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 3\), expected \(4, d\)"):
        check_embeddings("text", np.eye(3), 4)
