import polars as pl
import pytest

from rolesynth_assets.benchmarks.intervals.bootstrap import Interval
from rolesynth_assets.benchmarks.intervals.seed_intervals import SeededScore
from rolesynth_assets.pictures.png import WIDTH
from rolesynth_assets.r1.charts import accuracy_bars, training_curves
from rolesynth_assets.r1.library import load_r1_recipes
from rolesynth_assets.r1.training.checkpoint import Rollout, StepLog
from rolesynth_assets.reports.r1 import (
    ALL,
    Outcome,
    against_baseline,
    outcome,
    r1_markdown,
    rollouts_markdown,
    write_r1_report,
)
from rolesynth_assets_tests.r1.pictures import png


def score(**by_seed):
    values = {int(seed[1:]): value for seed, value in by_seed.items()}
    mean = sum(values.values()) / len(values)
    return SeededScore(Interval(mean, mean - 0.1, mean + 0.1), values, 0.2, 100)


def rows(recipe, values, benchmark="counting", metric="accuracy"):
    return [
        {"recipe": recipe, "seed": seed, "benchmark": benchmark, "metric": metric, "value": value,
         "low": value - 0.05, "high": value + 0.05, "chance": 0.25, "n": 100,
         "checkpoint_digest": "", "run_id": ""}
        for seed, value in enumerate(values)
    ]  # fmt: skip


def test_an_untrained_base_stands_against_every_seed():
    difference = against_baseline(score(s0=0.6, s1=0.62, s2=0.64), score(s0=0.5))
    assert difference is not None
    assert difference.value == pytest.approx(0.12)
    half = 4.302652729911275 * 0.02 / 3**0.5  # Student t of two degrees of freedom
    assert difference.low == pytest.approx(0.12 - half)


def test_trained_recipes_are_paired_by_seed():
    paired = against_baseline(score(s0=0.5, s1=0.7), score(s0=0.4, s1=0.6))
    assert paired is not None and paired.low == pytest.approx(paired.high)
    assert against_baseline(score(s0=0.5), score(s0=0.4)) is None


@pytest.mark.parametrize(
    ("interval", "seeds", "said"),
    [
        (Interval(0.1, 0.05, 0.15), 3, Outcome.BETTER),
        (Interval(-0.1, -0.15, -0.05), 3, Outcome.WORSE),
        (Interval(0.1, -0.05, 0.25), 3, Outcome.NO_DIFFERENCE),
        (Interval(0.1, 0.05, 0.15), 2, Outcome.TOO_FEW_SEEDS),
        (None, 1, Outcome.TOO_FEW_SEEDS),
    ],
)
def test_a_verdict_needs_three_seeds_and_an_interval_without_zero(interval, seeds, said):
    assert outcome(interval, seeds) is said


def table(page, benchmark):
    section = page.split(f"## {benchmark}\n")[1].split("## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: line for line in lines}


def test_the_page_says_what_came_out(tmp_path):
    scores = pl.DataFrame(
        rows("base", [0.5])
        + rows("synthetic", [0.6, 0.61, 0.62])
        + rows("seeds_only", [0.4, 0.6])
        + rows("base", [0.3], "spatial")
        + rows("synthetic", [0.2, 0.5, 0.3], "spatial")
        + rows("base", [0.9], metric="well_formed")
    )
    page = write_r1_report(tmp_path / "r" / "r1.md", scores, load_r1_recipes())
    assert page == (tmp_path / "r" / "r1.md").read_text()
    assert "stand-in" in page
    counting = table(page, "counting")
    assert "+11.0 [" in counting["synthetic"] and counting["synthetic"].endswith("| better |")
    assert counting["seeds_only"].endswith("| too few seeds |")
    assert counting["base"].endswith("|  |  |")
    assert table(page, "spatial")["synthetic"].endswith("| no difference seen |")
    overall = table(page, ALL)
    assert set(overall) == {"base", "synthetic"}  # seeds_only was not measured on all of them
    assert "40.0 [" in overall["base"]
    assert "90.0" not in page


def test_two_scores_of_one_run_are_refused():
    with pytest.raises(ValueError, match="two scores"):
        r1_markdown(pl.DataFrame(rows("base", [0.5]) * 2), load_r1_recipes())


def test_a_reply_cannot_break_the_table():
    rollout = Rollout(
        item_id="a", question="Which?\nA. x | y", image=png(), solution="A", task_type="MCQ",
        before="", after="<think>a\n|</think>\\boxed{A}", reward_before=0, reward_after=1,
    )  # fmt: skip
    lines = rollouts_markdown([rollout]).splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 7
    assert Rollout.model_validate_json(rollout.model_dump_json()) == rollout


def log(kl=True):
    return [
        StepLog(step=n, reward=0.1 * n, accuracy=0.1 * n, format=0.5, kl=0.01 * n if kl else None,
                length=20 - n, clipped=0, entropy=1, loss=0, gradient_norm=1)
        for n in range(1, 9)
    ]  # fmt: skip


@pytest.mark.parametrize("kl", [True, False])
def test_the_curves_are_a_png_as_wide_as_the_ui(kl):
    picture = training_curves(log(kl), title="synthetic, seed 0")
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == WIDTH
    with pytest.raises(ValueError, match="no step"):
        training_curves([])


def test_bars_are_means_over_seeds_of_the_accuracy():
    scores = pl.DataFrame(rows("synthetic", [0.6, 0.8]) + rows("synthetic", [1.0], metric="x"))
    (bar,) = accuracy_bars(scores)
    assert (bar.recipe, bar.metric, bar.chance) == ("synthetic", "counting", 0.25)
    assert bar.value == pytest.approx(0.7)
