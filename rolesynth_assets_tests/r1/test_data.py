import pyarrow as pa
import pytest

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.data import (
    QuestionDropReason,
    TrainingData,
    problem_data,
    prompt,
    seed_data,
    to_dataset,
)
from rolesynth_assets.r1.training.policy import Policy
from rolesynth_assets.store.lance.schemas import PROBLEMS, SEEDS
from rolesynth_assets_tests.r1.pictures import item, png

OPTIONS = "Which?\nA. red\nB. blue"


def table(spec, rows):
    """Rows with the table's own columns; those not given are filled with something."""
    fill = {pa.string(): "", pa.bool_(): False, pa.int32(): 0, pa.int64(): 0, pa.binary(): b""}
    whole = [{f.name: fill.get(f.type) for f in spec.schema} | row for row in rows]
    return pa.Table.from_pylist(whole, schema=spec.schema)


def problem(name, **change):
    row = {"problem_id": name, "domain": "d", "question": "How many?", "answer": "3"}
    return row | {"task_type": "Open-ended", "image": png(), "kept": True} | change


def seed(name, **change):
    row = {"seed_id": name, "domain": "d", "problem": "<image> How many?", "answer": "3"}
    return row | {"images": [png()]} | change


def test_kept_problems_are_trained_on_in_the_order_of_their_ids():
    data = problem_data(
        table(
            PROBLEMS,
            [
                problem("c", domain="e"),
                problem("b", kept=False, reason="duplicate"),
                problem("a", question=OPTIONS, answer="B", task_type="MCQ"),
            ],
        )
    )
    assert [i.item_id for i in data.items] == ["a", "c"]
    assert [i.task_type for i in data.items] == [TaskType.MCQ, TaskType.OPEN_ENDED]
    assert data.dropped == {}
    assert data.domains == {"d": 1, "e": 1}


def test_every_dropped_row_has_a_reason():
    data = problem_data(
        table(
            PROBLEMS,
            [
                problem("a"),
                problem("b", image=b"no picture"),
                problem("c", answer=" "),
                problem("d", answer="x" * 400),
            ],
        )
    )
    assert [i.item_id for i in data.items] == ["a"]
    assert data.dropped == {
        QuestionDropReason.UNREADABLE_IMAGE: 1,
        QuestionDropReason.NO_ANSWER: 1,
        QuestionDropReason.UNGRADABLE: 1,
    }


def test_seeds_need_an_answer_and_one_image():
    data = seed_data(
        table(
            SEEDS,
            [
                seed("open"),
                seed("options", problem=f"<image>{OPTIONS}", answer="(B)"),
                seed("letter", problem="<image> Which vitamin?", answer="C"),
                seed("silent", answer=None),
                seed("two", images=[png(), png("blue")]),
                seed("none", images=[]),
            ],
        )
    )
    found = {i.item_id: (i.question, i.task_type) for i in data.items}
    assert found == {
        "open": ("How many?", TaskType.OPEN_ENDED),
        "options": (OPTIONS, TaskType.MCQ),
        "letter": ("Which vitamin?", TaskType.OPEN_ENDED),
    }
    assert data.dropped == {"no_answer": 1, "not_one_image": 2}


def test_the_digest_is_that_of_the_content():
    rows = [problem("a"), problem("b")]
    first = problem_data(table(PROBLEMS, rows))
    assert problem_data(table(PROBLEMS, rows[::-1])).digest == first.digest
    for change in ({"answer": "4"}, {"question": "Why?"}, {"image": png("blue")}):
        changed = problem_data(table(PROBLEMS, [problem("a"), problem("b", **change)]))
        assert changed.digest != first.digest, change
    assert TrainingData((), {}).digest != first.digest


@pytest.mark.parametrize(("items", "batch", "rows"), [(5, 3, 5), (2, 5, 6), (3, 3, 3)])
def test_few_questions_are_repeated_until_they_fill_a_step(items, batch, rows):
    dataset = to_dataset([item(n) for n in range(items)], Policy(None, None, None), batch)
    assert len(dataset) == rows
    assert len(set(dataset["item_id"])) == items


def test_a_row_is_what_trl_and_the_rewards_read():
    one = item(3)
    row = to_dataset([one], Policy(None, None, 112), 1)[0]
    assert row["prompt"] == prompt(one.question)
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    assert row["image"].size == (112, 112)
    kept = {k: row[k] for k in ("solution", "task_type", "question", "item_id")}
    assert kept == {
        "solution": one.answer,
        "task_type": "Open-ended",
        "question": one.question,
        "item_id": one.item_id,
    }
