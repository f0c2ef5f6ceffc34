import pytest

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.embedded.nano.engine import EmbeddedEngine
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem, chance_level
from rolesynth_assets.r1.benchmarks.evaluate import evaluate, graded, scores_frame
from rolesynth_assets.r1.data import NO_DATA
from rolesynth_assets.r1.training.policy import NANO_WEIGHTS, greedy_replies, load_policy
from rolesynth_assets.r1.training.train import train
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.r1.pictures import png

MCQ, OPEN = TaskType.MCQ, TaskType.OPEN_ENDED
OPTIONS = "Which?\nA. red\nB. blue\nC. green\nD. teal"


def question(answer, text="How many?", kind=OPEN, **more):
    return BenchmarkItem("id", (png(),), text, answer, kind, **more)


@pytest.mark.parametrize(
    ("item", "reply", "correct"),
    [
        (question("3"), "<think>t</think>\\boxed{3}", True),
        (question("3"), "The answer is three.", True),
        (question("3"), "4", False),
        (question("3"), "<think>3", False),
        (question("B", OPTIONS, MCQ), "(B) blue", True),
        (question("B", OPTIONS, MCQ), "\\boxed{blue}", True),
        (question("H", "Which letter?", MCQ), "H", True),  # options in the picture only
        (question("B", "Read it.", MCQ, graded_question=OPTIONS), "\\boxed{blue}", True),
        (question("cat", accepted=("feline",)), "\\boxed{feline}", True),
        (question("1.2", decimals=1), "\\boxed{1.2345}", True),
        (question("1.2", decimals=1), "\\boxed{1.27}", False),
        (question("1.2"), "\\boxed{1.2345}", False),
        (question("12", decimals=0), "\\boxed{1e400}", False),
        (question("a long free text"), "some other free text entirely", False),
    ],
)
def test_grading(item, reply, correct):
    assert graded([item], [reply]).answered[0].correct is correct


def test_accuracy_and_form_are_told_apart():
    items = [question("3")] * 4
    result = graded(items, ["<think>t</think>\\boxed{3}", "3", "\\boxed{3}", "none of it"])
    assert (result.accuracy.value, result.well_formed.value) == (0.75, 0.25)
    assert result.accuracy.low < 0.75 < result.accuracy.high
    with pytest.raises(ValueError):
        graded(items, ["3"])


def test_a_blind_guess():
    four = [question("B", OPTIONS, MCQ)]
    assert chance_level(four) == 0.25
    counts = [question(str(n), "How many cats?") for n in (1, 1, 1, 2)]
    assert chance_level(counts) == 0.75
    yes = [question(a, "Is it so?") for a in ("yes", "no", "Yes ", "no")]
    assert chance_level([*counts, *yes]) == pytest.approx(5 / 8)
    with pytest.raises(ValueError):
        chance_level([])


@pytest.fixture(scope="module")
def base(tmp_path_factory, make_recipe):
    folder = tmp_path_factory.mktemp("base")
    train(make_recipe("base", steps=None), NO_DATA, folder, 0)
    return folder


def test_a_nano_policy_answers_through_the_embedded_engine(base, monkeypatch):
    items = [question("3", f"How many {noun}?") for noun in ("apples", "dogs", "cats")]
    done = []
    result = evaluate(base, items, progress=lambda *a: done.append(a))
    slow = greedy_replies(
        load_policy(str(NANO_WEIGHTS)),
        [item.question for item in items],
        [item.images for item in items],
        max_tokens=6,
    )
    assert [a.reply for a in result.answered] == slow  # truncated replies are read as well
    assert done == [(3, 3)]
    monkeypatch.setattr("rolesynth_assets.r1.benchmarks.evaluate.is_nano", lambda folder: False)
    monkeypatch.setattr(EmbeddedEngine, "complete", None)
    assert evaluate(base, items) == result  # the way that any other policy takes


def test_scores_are_rows_of_a_small_table(tmp_path):
    result = graded([question("3")] * 4, ["3", "3", "4", "\\boxed{3}"])
    rows = scores_frame(result, recipe="base", seed=0, benchmark="counting", run_id="r")
    small = SmallTables(tmp_path)
    small.replace("r1_scores", {"recipe": "base", "benchmark": "counting"}, rows)
    stored = small.read("r1_scores").sort("metric")
    assert stored["metric"].to_list() == ["accuracy", "well_formed"]
    assert stored["value"].to_list() == [0.75, 0.0]
    assert stored["chance"].to_list() == [1.0, None]
    assert stored["n"].to_list() == [4, 4]
