import io

import pytest
from PIL import Image

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.checks import (
    no_benchmark_problem,
    no_reward_hacking,
    reload_reproduces,
    reward_finite,
)
from rolesynth_assets.r1.training.checkpoint import StepLog
from rolesynth_assets_tests.r1.pictures import item, png


def step(number, accuracy=0.5, form=0.5, **change):
    row = {"step": number, "reward": 0.9 * accuracy + 0.1 * form, "accuracy": accuracy}
    row |= {"format": form, "kl": 0.1, "length": 5, "clipped": 0, "entropy": 1, "loss": 0.1}
    return StepLog.model_validate(row | {"gradient_norm": 1} | change)


@pytest.mark.parametrize("bad", [{"reward": float("nan")}, {"loss": float("inf")},
                                 {"kl": float("nan")}])  # fmt: skip
def test_one_step_that_is_not_finite_fails(bad):
    log = [step(1), step(2, **bad), step(3)]
    result = reward_finite(log)
    assert not result.passed and result.value == 1 and "first at step 2" in result.description


def test_finite_steps_pass_with_or_without_kl():
    assert reward_finite([step(1), step(2, kl=None)]).passed
    assert reward_finite([]).passed


@pytest.mark.parametrize(
    ("accuracy", "form", "passed"),
    [
        ((0.5, 0.2), (0.2, 0.9), False),  # hacking
        ((0.5, 0.49), (0.2, 0.9), True),  # within noise
        ((0.5, 0.7), (0.2, 0.9), True),
        ((0.5, 0.2), (0.9, 0.2), True),  # simply worse: another check's matter
    ],
)
def test_form_that_rises_while_answers_fall_is_hacking(accuracy, form, passed):
    log = [step(n, accuracy[n > 5], form[n > 5]) for n in range(1, 11)]
    assert no_reward_hacking(log).passed is passed


def test_too_short_a_run_is_not_judged():
    assert no_reward_hacking([step(1)]).passed


def test_a_reply_that_changed_after_reloading_fails():
    assert reload_reproduces(["a", "b"], ["a", "b"]).passed
    result = reload_reproduces(["a", "b"], ["a", "c"])
    assert not result.passed and result.value == 0.5
    assert result.metadata["examples"] == [{"stored": "b", "reloaded": "c"}]
    with pytest.raises(ValueError):
        reload_reproduces(["a"], [])


def test_a_benchmarks_image_is_found_in_whatever_encoding():
    items = [item(n) for n in range(3)]
    with Image.open(io.BytesIO(items[1].image)) as image:
        buffer = io.BytesIO()
        image.save(buffer, "BMP")

    def benchmark(data):
        return [BenchmarkItem("x", (data,), "What?", "red", TaskType.OPEN_ENDED)]

    clean = no_benchmark_problem(items, {"other": benchmark(png("teal"))})
    assert clean.passed and clean.metadata["benchmarks"] == ["other"]
    found = no_benchmark_problem(
        items, {"other": benchmark(png("teal")), "mine": benchmark(buffer.getvalue())}
    )
    assert not found.passed and found.value == 1
    assert found.metadata["examples"] == {"mine": ["item-01"]}
