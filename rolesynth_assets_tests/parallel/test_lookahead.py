from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rolesynth_assets.parallel.lookahead import in_order


def test_results_keep_the_order_of_the_items_whoever_is_done_first():
    later = threading.Event()

    def run(item: int) -> int:
        if item == 0:
            assert later.wait(10)
        if item == 1:
            later.set()
        return item * 10

    assert list(in_order(run, range(5), at_once=2)) == [0, 10, 20, 30, 40]
    assert list(in_order(run, [], at_once=2)) == []


def test_items_are_taken_as_they_are_needed():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(lambda item: item, items(), at_once=3)
    assert next(results) == 0
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4


def test_an_error_comes_in_its_items_place():
    def run(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        time.sleep(0.01 * (item == 0))
        return item

    results = in_order(run, range(3), at_once=3)
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)


def test_values_come_in_order_and_each_is_made_once():
    made = []

    def make(step):
        made.append(step)
        return step * step

    assert list(in_order(make, range(3, 8), at_once=2, threads=1)) == [9, 16, 25, 36, 49]
    assert made == [3, 4, 5, 6, 7]
    assert list(in_order(make, range(4, 4), at_once=2, threads=1)) == []


def test_one_value_is_made_ahead_and_no_more():
    made, reached = [], {step: threading.Event() for step in range(5)}

    def make(step):
        made.append(step)
        reached[step].set()
        return step

    values = in_order(make, range(5), at_once=2, threads=1)
    assert next(values) == 0
    assert reached[1].wait(10)  # made while the caller still holds value 0
    assert made == [0, 1]
    values.close()


def test_a_failure_is_raised_at_its_own_step():
    def make(step):
        if step == 2:
            raise KeyError("two")
        return step

    values = in_order(make, range(4), at_once=2, threads=1)
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(KeyError, match="two"):
        next(values)
