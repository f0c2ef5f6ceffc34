import threading

import pytest

from rolesynth_assets.clip.lookahead import one_ahead


def test_values_come_in_order_and_each_is_made_once():
    made = []

    def make(step):
        made.append(step)
        return step * step

    assert list(one_ahead(make, range(3, 8))) == [9, 16, 25, 36, 49]
    assert made == [3, 4, 5, 6, 7]
    assert list(one_ahead(make, range(4, 4))) == []


def test_one_value_is_made_ahead_and_no_more():
    made, reached = [], {step: threading.Event() for step in range(5)}

    def make(step):
        made.append(step)
        reached[step].set()
        return step

    values = one_ahead(make, range(5))
    assert next(values) == 0
    assert reached[1].wait(10)  # made while the caller still holds value 0
    assert made == [0, 1]
    values.close()


def test_a_failure_is_raised_at_its_own_step():
    def make(step):
        if step == 2:
            raise KeyError("two")
        return step

    values = one_ahead(make, range(4))
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(KeyError, match="two"):
        next(values)
