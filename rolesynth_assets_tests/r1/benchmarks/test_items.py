import easy_vqa
import pytest

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark, R1BenchmarkError
from rolesynth_assets.r1.benchmarks.items import available, benchmark_items
from rolesynth_assets.r1.library import load_r1_benchmarks
from rolesynth_assets.r1.rewards import is_gradable

SHIPPED = load_r1_benchmarks()


def few(name, count=12):
    return SHIPPED[name].model_copy(update={"count": count})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_benchmarks_need_no_files_and_can_be_graded(name, tmp_path):
    assert available(SHIPPED[name], tmp_path)
    items = benchmark_items(few(name), tmp_path)
    assert len(items) == len({item.item_id for item in items}) == 12
    assert all(item.images for item in items)
    ungradable = [
        item for item in items if not is_gradable(item.answer, item.task_type, item.question)
    ]
    assert not ungradable
    assert benchmark_items(few(name), tmp_path) == items


def test_easy_vqa_is_the_packages_test_split(tmp_path):
    items = benchmark_items(few("easy_vqa"), tmp_path)
    questions, answers, ids = easy_vqa.get_test_questions()
    paths = easy_vqa.get_test_image_paths()
    for item in items:
        number = int(item.item_id)
        assert (item.question, item.answer) == (questions[number], answers[number])
        with open(paths[ids[number]], "rb") as file:
            assert item.images == (file.read(),)
        assert item.task_type is TaskType.OPEN_ENDED
    with pytest.raises(R1BenchmarkError, match="seeds come from train"):
        benchmark_items(R1Benchmark(name="e", layout="easy_vqa", split="train"), tmp_path)
