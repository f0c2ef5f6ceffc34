"""Small files of our own in the layouts of the publishers."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark, R1BenchmarkError, known_layouts
from rolesynth_assets.r1.benchmarks.files import read_rows
from rolesynth_assets.r1.benchmarks.items import available, benchmark_items
from rolesynth_assets.r1.benchmarks.row_fields import IN_THE_IMAGE
from rolesynth_assets_tests.r1.pictures import png

MCQ, OPEN = TaskType.MCQ, TaskType.OPEN_ENDED
IMAGE = {"bytes": png(), "path": "1.jpg"}


def write_parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_images(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(png())


def read(layout, root, **fields):
    benchmark = R1Benchmark(name="b", layout=layout, path=str(root), **fields)
    return benchmark_items(benchmark, root)


VISTA = [
    {"pid": "1", "question": "How far?", "image": "images/1.jpg", "choices": None, "unit": "cm",
     "precision": 1.0, "answer": "1.2", "question_type": "free_form", "answer_type": "float"},
    {"pid": "2", "question": "Which angle?", "image": "images/2.jpg",
     "choices": ["135°", "145°"], "unit": None, "precision": None, "answer": "145°",
     "question_type": "multi_choice", "answer_type": "text"},
]  # fmt: skip


def check_mathvista(items):
    far, angle = items
    assert (far.item_id, far.answer, far.task_type, far.decimals) == ("1", "1.2", OPEN, 1)
    assert far.question == "How far? Give the answer in cm."
    assert (angle.answer, angle.task_type) == ("B", MCQ)
    assert angle.question == "Which angle?\nA. 135°\nB. 145°"


def test_mathvista_as_parquet(tmp_path):
    rows = [row | {"decoded_image": IMAGE} for row in VISTA]
    write_parquet(tmp_path / "data" / "testmini-00000-of-00001-72.parquet", rows)
    check_mathvista(read("mathvista", tmp_path))


def test_mathvista_as_json_with_images(tmp_path):
    write_json(tmp_path / "data" / "testmini.json", {row["pid"]: row for row in VISTA})
    write_images(tmp_path / "images", "1.jpg", "2.jpg")
    check_mathvista(read("mathvista", tmp_path))


def test_mathverse(tmp_path):
    asked = "Find x.\nChoices:\nA:2\nB:3\nC:4\nD:5"
    rows = [
        {"sample_index": "1", "problem_version": "Text Lite", "question": asked, "image": "a.png",
         "answer": "B", "question_type": "multi-choice", "question_for_eval": asked},
        {"sample_index": "2", "problem_version": "Vision Only", "question": "", "image": "b.png",
         "answer": "D", "question_type": "multi-choice", "question_for_eval": asked},
        {"sample_index": "3", "problem_version": "Text Lite", "question": "Find y.",
         "image": "a.png", "answer": "7", "question_type": "free-form",
         "question_for_eval": "Find y."},
    ]  # fmt: skip
    write_json(tmp_path / "testmini.json", rows)
    write_images(tmp_path / "images", "a.png", "b.png")
    lite, vision, free = read("mathverse", tmp_path)
    assert (lite.answer, lite.task_type) == ("B", MCQ)
    assert "A: 2\nB: 3" in lite.question
    assert vision.question == IN_THE_IMAGE and "D: 5" in vision.full_question
    assert (free.question, free.task_type) == ("Find y.", OPEN)


def test_mathvision(tmp_path):
    rows = [
        {"id": "4", "question": "How many?\n<image1>", "options": [], "answer": "6",
         "image": "images/4.jpg", "level": 1, "subject": "counting"},
        {"id": "6", "question": "Which?\n<image1>", "options": ["red", "blue"], "answer": "B",
         "image": "images/6.jpg", "level": 2, "subject": "logic"},
    ]  # fmt: skip
    (tmp_path / "data").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "data" / "testmini.jsonl").write_text(lines)
    write_images(tmp_path / "images", "4.jpg", "6.jpg")
    number, choice = read("mathvision", tmp_path)
    assert (number.answer, number.task_type) == ("6", OPEN)
    assert (choice.answer, choice.task_type) == ("B", MCQ)
    assert choice.question.endswith("A. red\nB. blue")


def test_mmmu_joins_its_subjects(tmp_path):
    none = {f"image_{n}": None for n in range(2, 8)}
    chosen = {"id": "validation_Art_1", "question": "Which <image 1> fits?",
              "options": "['one', 'two']", "answer": "B", "question_type": "multiple-choice",
              "image_1": IMAGE, **none, "image_2": IMAGE}  # fmt: skip
    opened = {"id": "validation_Math_1", "question": "What is <image 1>?", "options": "[]",
              "answer": "['4', 'four']", "question_type": "open",
              "image_1": IMAGE, **none}  # fmt: skip
    write_parquet(tmp_path / "Art" / "validation-00000-of-00001.parquet", [chosen])
    write_parquet(tmp_path / "Math" / "validation-00000-of-00001.parquet", [opened])
    write_parquet(tmp_path / "Math" / "test-00000-of-00001.parquet", [opened | {"answer": "?"}])
    art, maths = read("mmmu", tmp_path)
    assert (art.task_type, art.answer, len(art.images)) == (MCQ, "B", 2)
    assert art.question == "Which <image 1> fits?\nA. one\nB. two"
    assert (maths.answer, maths.accepted, maths.task_type) == ("4", ("four",), OPEN)
    with pytest.raises(R1BenchmarkError, match="has no answer"):
        read("mmmu", tmp_path, split="test")


def pro(number, options, **fields):
    none = {f"image_{n}": None for n in range(2, 8)}
    return {"id": f"test_History_{number}", "question": "Which <image 1>?", "answer": "B",
            "options": str([f"o{n}" for n in range(options)]), "image_1": IMAGE, **none,
            "subject": "History", **fields}  # fmt: skip


def test_mmmu_pros_sets_are_benchmarks_of_their_own(tmp_path):
    for options in (4, 10):
        folder = tmp_path / f"standard ({options} options)"
        rows = [pro(n, options) for n in range(2)]
        write_parquet(folder / "test-00000-of-00001.parquet", rows)
    screenshots = [
        {"id": "test_Art_1", "image": IMAGE, "options": "['x', 'y']", "answer": "B"},
    ]
    write_parquet(tmp_path / "vision" / "test-00000-of-00001.parquet", screenshots)
    with pytest.raises(
        R1BenchmarkError, match=r"2 sets .* set `path` to .*10 options.* or .*4 opt"
    ):
        read("mmmu", tmp_path, split="test")
    for options in (4, 10):
        items = read("mmmu", tmp_path / f"standard ({options} options)", split="test")
        assert [len(item.question.splitlines()) for item in items] == [1 + options] * 2
    for root in (tmp_path, tmp_path / "vision"):
        (item,) = read("mmmu_pro_vision", root)
        assert (item.question, item.answer, len(item.images)) == (IN_THE_IMAGE, "B", 1)
        assert item.full_question.endswith("A. x\nB. y")
    with pytest.raises(R1BenchmarkError, match="mmmu_pro_vision"):
        read("mmmu", tmp_path / "vision", split="test")


def test_ids_are_unique(tmp_path):
    for name in ("a", "b"):
        write_parquet(tmp_path / name / "test-00000-of-00001.parquet", [pro(1, 4)])
    with pytest.raises(R1BenchmarkError, match=r"1 ids occur twice, such as 'test_History_1'"):
        read("mmmu", tmp_path, split="test")


@pytest.mark.parametrize("layout", ["mmmu", "mathvista"])
def test_a_hub_cache_with_two_snapshots_is_refused(tmp_path, layout):
    cache = tmp_path / "datasets--x--y"
    split = {"mmmu": "validation", "mathvista": "testmini"}[layout]
    row = {"mmmu": pro(1, 4), "mathvista": VISTA[0] | {"decoded_image": IMAGE}}[layout]
    for commit in ("0a1", "0b2"):
        write_parquet(cache / "snapshots" / commit / "data" / f"{split}-0.parquet", [row])
    with pytest.raises(R1BenchmarkError, match=r"2 snapshots: set `path` to one of .*0a1.*0b2"):
        read(layout, cache)
    assert len(read(layout, cache / "snapshots" / "0a1")) == 1
    with pytest.raises(R1BenchmarkError, match="a whole hub cache"):
        read(layout, tmp_path)


def test_a_snapshots_images_are_links_to_its_blobs(tmp_path):
    cache = tmp_path / "datasets--x--y"
    snapshot = cache / "snapshots" / "0a1"
    write_images(cache / "blobs", "f00")
    write_json(snapshot / "testmini.json", [VISTA[0]])
    (snapshot / "images").mkdir()
    (snapshot / "images" / "1.jpg").symlink_to(cache / "blobs" / "f00")
    for root in (cache, snapshot):
        assert len(read("mathvista", root)) == 1


def test_every_layout_has_a_reader_and_a_usual_split(tmp_path):
    for layout in known_layouts()[2:]:
        with pytest.raises(R1BenchmarkError, match=r"set `path`|lacks src/constants"):
            read(layout, tmp_path / "absent")
    with pytest.raises(ValueError, match="no layout 'mmmu_pro'; there are embedded"):
        read("mmmu_pro", tmp_path)


def test_charxiv_reasoning(tmp_path):
    rows = {"0": {"figure_id": 0, "query": "Which model?", "answer": "CNN", "inst_category": 1}}
    write_json(tmp_path / "data" / "reasoning_val.json", rows)
    write_images(tmp_path / "images", "0.jpg")
    (item,) = read("charxiv_reasoning", tmp_path)
    assert (item.item_id, item.question, item.answer) == ("0", "Which model?", "CNN")


def test_charxiv_reasoning_as_parquet(tmp_path):
    row = {"original_id": "9", "image": IMAGE, "reasoning_q": "Which?", "reasoning_a": "(b)"}
    write_parquet(tmp_path / "val.parquet", [row])
    (item,) = read("charxiv_reasoning", tmp_path)
    assert (item.item_id, item.question, item.answer) == ("9", "Which?", "(b)")


def test_charxiv_descriptive_reads_the_publishers_wording_and_runs_none_of_it(tmp_path):
    rows = {
        "5": {"figure_id": 5, "qids": [1, 18], "answers": ["A title", "2 by 2"],
              "subplot_loc": [1, 2]},
        "6": {"figure_id": 6, "qids": [1], "answers": ["B"], "subplot_loc": "the inset"},
        "7": {"figure_id": 7, "qids": [1], "answers": ["C"], "subplot_loc": [0, 0]},
    }  # fmt: skip
    write_json(tmp_path / "data" / "descriptive_val.json", rows)
    write_images(tmp_path / "images", "5.jpg", "6.jpg", "7.jpg")
    with pytest.raises(R1BenchmarkError, match=r"constants\.py"):
        read("charxiv_descriptive", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "constants.py").write_text(
        "open('ran', 'w')\nOTHER = 1\n"
        'DESCRIPTIVE_RESP_INST = {1: """{}name its title.""", 18: "Name the layout."}\n'
    )
    items = read("charxiv_descriptive", tmp_path)
    assert [item.item_id for item in items] == ["5_0", "5_1", "6_0", "7_0"]
    assert [item.question for item in items] == [
        "For the subplot at row 1 and column 2, name its title.",
        "Name the layout.",
        "For the inset, name its title.",
        "For the current plot, name its title.",
    ]
    assert [item.answer for item in items] == ["A title", "2 by 2", "B", "C"]


def test_a_sample_is_fixed_by_its_seed(tmp_path):
    rows = [VISTA[0] | {"pid": str(n), "decoded_image": IMAGE} for n in range(40)]
    write_parquet(tmp_path / "testmini.parquet", rows)
    ids = [[i.item_id for i in read("mathvista", tmp_path, count=5, seed=s)] for s in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]
    assert sorted(ids[0], key=int) == ids[0] and len(set(ids[0])) == 5


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"image": "../outside.png"}, "leads out of"),
        ({"image": "/etc/hostname"}, "leads out of"),
        ({"image": "images/none.png"}, "missing"),
        ({"image": ""}, "no image"),
        ({"image": "broken.png"}, "unusable"),
        ({"answer": None}, "has no answer"),
        ({"question": ...}, "lacks what the layout"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, row, said):
    (tmp_path.parent / "outside.png").write_bytes(png())
    root = tmp_path / "vista"
    write_images(root / "images", "1.jpg")
    (root / "broken.png").write_bytes(b"GIF89a nothing")
    changed = {k: v for k, v in (VISTA[0] | row).items() if v is not ...}
    write_json(root / "testmini.json", [changed])
    with pytest.raises(R1BenchmarkError, match=said):
        read("mathvista", root)


@pytest.mark.parametrize("content", ["{", "[1, 2]", '"text"', "[" * 100_000])
def test_a_file_that_holds_no_rows_is_named(tmp_path, content):
    (tmp_path / "testmini.json").write_text(content)
    with pytest.raises(R1BenchmarkError, match=r"testmini\.json"):
        read("mathvista", tmp_path)


def test_a_missing_folder_or_split_says_the_way_out(tmp_path):
    benchmark = R1Benchmark(name="v", layout="mathvista", path="{data}/vista")
    assert not available(benchmark, tmp_path)
    with pytest.raises(R1BenchmarkError, match="set `path`"):
        benchmark_items(benchmark, tmp_path)
    (tmp_path / "vista").mkdir()
    assert available(benchmark, tmp_path)
    with pytest.raises(R1BenchmarkError, match="testmini"):
        benchmark_items(benchmark, tmp_path)


def test_a_split_of_which_files_are_missing_is_refused(tmp_path):
    rows = [{"pid": "1", "question": "1 + 1?", "answer": "2"}]
    write_parquet(tmp_path / "data" / "test-00001-of-00003-ab12.parquet", rows)
    with pytest.raises(R1BenchmarkError, match="1 of the 3 files of test; number 0 is missing"):
        list(read_rows(tmp_path, "test"))
    for number in (0, 2):
        write_parquet(tmp_path / "data" / f"test-0000{number}-of-00003-ab12.parquet", rows)
    assert len(list(read_rows(tmp_path, "test"))) == 3
