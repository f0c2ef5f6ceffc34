import io
import re
from pathlib import Path
from typing import Any

import pytest
from mathruler.grader import extract_boxed_content, grade_answer
from PIL import Image
from transformers import AutoTokenizer

from rolesynth_assets.cads.problems.exports.accepted import ExportError, accepted_problems
from rolesynth_assets.cads.problems.exports.easyr1 import export_easyr1
from rolesynth_assets.cads.problems.exports.hf import export_hf
from rolesynth_assets.cads.problems.exports.trl import export_trl
from rolesynth_assets.mllm.control_tokens import restore
from rolesynth_assets.r1.training.policy import NANO_WEIGHTS
from rolesynth_assets_tests.answers.in_process_grader import InProcessGrader
from rolesynth_assets_tests.cads.problems.exports.export_problems import (
    problem,
    problem_row,
    store_with,
)
from rolesynth_assets_tests.cads.round_frames import picture

GRADER = InProcessGrader()
SYSTEM = "Think between <think> and </think>, then give the final answer in \\boxed{}."
COUNT = 12


def parquet(folder: Path, cache: Path) -> Any:
    """Read an export as both trainers do."""
    from datasets import load_dataset

    file = str(folder / "train.parquet")
    return load_dataset("parquet", data_files=file, split="train", cache_dir=str(cache))


def export_all(problems: list, folder: Path) -> dict[str, int]:
    return {
        "easyr1": export_easyr1(problems, folder / "easyr1", GRADER),
        "trl": export_trl(problems, folder / "trl", GRADER, system=SYSTEM),
        "hf": export_hf(problems, folder / "hf", "# Card\n"),
    }


def test_exports_hold_accepted_synthetic_triples_only(tmp_path: Path) -> None:
    """Fidelity test 8."""
    from datasets import load_from_disk

    dropped = {"kept": False, "reason": "duplicate"}
    rows = [problem_row(n) for n in range(4)] + [problem_row(4, **dropped)]
    rows += [problem_row(5, domain="charts")]
    store = store_with(tmp_path / "data", rows)
    problems = list(accepted_problems(store, "counting"))
    assert [p.problem_id for p in problems] == ["p000", "p001", "p002", "p003"]
    assert export_all(problems, tmp_path) == {"easyr1": 4, "trl": 4, "hf": 4}
    kept = {(row["question"], row["answer"], row["image"]) for row in rows[:4]}
    easyr1 = parquet(tmp_path / "easyr1", tmp_path / "cache").with_format("arrow")[:].to_pylist()
    assert {
        (row["problem"].removeprefix("<image>"), row["answer"], row["images"][0]["bytes"])
        for row in easyr1
    } == kept
    trl = parquet(tmp_path / "trl", tmp_path / "cache").with_format("arrow")[:].to_pylist()
    assert {(row["prompt"][-1]["content"], row["image"]["bytes"]) for row in trl} == {
        (question, image) for question, _, image in kept
    }
    hf = load_from_disk(str(tmp_path / "hf")).with_format("arrow")[:].to_pylist()  # type: ignore[union-attr]
    assert {(row["question"], row["answer"], row["image"]["bytes"]) for row in hf} == kept


@pytest.mark.parametrize("field", ["question", "answer", "image", "consensus"])
def test_no_other_triple_can_be_made_into_an_export(field: str) -> None:
    empty = {"question": "", "answer": "", "image": b"", "consensus": 0}[field]
    with pytest.raises(ExportError, match=r"p001.* is not an accepted triple"):
        problem(1, **{field: empty})


def test_easyr1_finds_one_image_per_placeholder_and_grades_every_answer(tmp_path: Path) -> None:
    export_easyr1([problem(n) for n in range(COUNT)], tmp_path / "easyr1", GRADER)
    assert [path.name for path in (tmp_path / "easyr1").iterdir()] == ["train.parquet"]
    rows = parquet(tmp_path / "easyr1", tmp_path / "cache")
    assert rows.column_names == ["problem", "answer", "images"]
    assert len(rows) == COUNT
    for number, row in enumerate(rows):
        assert row["problem"].count("<image>") == len(row["images"]) == 1
        assert row["problem"].startswith("<image>What is shown")
        assert row["images"][0].tobytes() == Image.open(io.BytesIO(picture(number))).tobytes()
        # its reward function `math`: the spaces around marks go, then mathruler reads the box
        reply = f"<think>So.</think>\n\\boxed{{{row['answer']}}}"
        reply = re.sub(r"\s*(<|>|/)\s*", r"\1", reply)
        assert grade_answer(extract_boxed_content(reply), row["answer"])
        assert not grade_answer(extract_boxed_content("I give up."), row["answer"])


def test_trl_reads_the_export_and_its_reward_pays_for_every_answer(tmp_path: Path) -> None:
    from trl.data_utils import is_conversational, prepare_multimodal_messages
    from trl.rewards.accuracy_rewards import accuracy_reward

    problems = [problem(n) for n in range(COUNT)]
    export_trl(problems, tmp_path / "trl", GRADER, system=SYSTEM)
    rows = parquet(tmp_path / "trl", tmp_path / "cache")
    assert rows.column_names == ["prompt", "image", "solution"]
    assert is_conversational(rows[0])
    for row, exported in zip(rows, problems, strict=True):
        assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
        assert row["prompt"][0]["content"] == SYSTEM
        assert row["prompt"][1]["content"] == exported.question  # the question alone
        messages = prepare_multimodal_messages(row["prompt"], [row["image"]])
        assert [part["type"] for part in messages[1]["content"]] == ["image", "text"]
    right = [[{"role": "assistant", "content": f"\\boxed{{{p.answer}}}"}] for p in problems]
    wrong = [[{"role": "assistant", "content": "\\boxed{7919}"}] for _ in problems]
    assert accuracy_reward(right, rows["solution"]) == [1.0] * COUNT
    assert accuracy_reward(wrong, rows["solution"]) == [0.0] * COUNT


def test_control_tokens_in_a_problem_are_text_to_every_trainer(tmp_path: Path) -> None:
    from datasets import load_from_disk

    question = "A sign reads <|im_end|> and <image>. Of which colour is it?"
    solution = "Look at <|vision_start|>."
    signs = problem(1, question=question, solution=solution)
    export_all([signs], tmp_path)
    [easyr1] = parquet(tmp_path / "easyr1", tmp_path / "cache")
    before, posed = easyr1["problem"].split("<image>")  # as EasyR1 does, one image a part
    assert (before, restore(posed)) == ("", question)
    [trl] = parquet(tmp_path / "trl", tmp_path / "cache")
    assert trl["prompt"][-1]["content"] == posed
    rows: Any = load_from_disk(str(tmp_path / "hf"))
    assert rows[0]["neutralised"] == ["<|im_end|>", "<image>", "<|vision_start|>"]
    assert (rows[0]["question"], restore(rows[0]["solution"])) == (posed, solution)
    plain = problem(1, question="Of which colour is it?")
    assert turns_and_images(posed) == turns_and_images(plain.question)


def turns_and_images(question: str) -> tuple[int, int]:
    """Count ends of turns and places of images as the nano's own processor reads a question."""
    tokenizer = AutoTokenizer.from_pretrained(NANO_WEIGHTS)
    content = [{"type": "image"}, {"type": "text", "text": question}]
    ids = tokenizer.apply_chat_template([{"role": "user", "content": content}], return_dict=False)
    ends, pads = (tokenizer.convert_tokens_to_ids(t) for t in ("<|im_end|>", "<|image_pad|>"))
    return ids.count(ends), ids.count(pads)


def test_the_data_set_on_disk_holds_all_that_is_known_and_its_card(tmp_path: Path) -> None:
    from datasets import load_from_disk

    problems = [problem(n) for n in range(COUNT)]
    export_hf(problems, tmp_path / "hf", "# Card\n")
    rows: Any = load_from_disk(str(tmp_path / "hf"))
    assert rows.column_names == [*type(problems[0]).__dataclass_fields__, "neutralised"]
    for row, exported in zip(rows, problems, strict=True):
        assert row.pop("neutralised") == []
        for name, value in row.items():
            if name != "image":
                assert value == getattr(exported, name), name
        assert row["image"].size == (96, 96)
    assert (tmp_path / "hf" / "README.md").read_text() == "# Card\n"
    names = {path.name for path in (tmp_path / "hf").iterdir()}
    assert names == {"README.md", "data-00000-of-00001.arrow", "dataset_info.json", "state.json"}


def test_the_same_problems_give_the_same_files(tmp_path: Path) -> None:
    problems = [problem(n) for n in range(5)]
    contents = []
    for name in ("one", "two"):
        export_easyr1(problems, tmp_path / name / "easyr1", GRADER)
        export_trl(problems, tmp_path / name / "trl", GRADER, system=SYSTEM)
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]


def test_what_a_trainer_could_not_grade_or_read_ends_the_export(tmp_path: Path) -> None:
    bad = problem(1, answer="none")
    with pytest.raises(ExportError, match="p001 is not fit for EasyR1"):
        export_easyr1([problem(0), bad], tmp_path / "easyr1", GRADER)
    with pytest.raises(ExportError, match="p001 is not fit for TRL"):
        export_trl([problem(1, answer="7\\")], tmp_path / "trl", GRADER, system=SYSTEM)
    with pytest.raises(ExportError, match="no image at all"):
        export_hf([problem(1, image=b"GIF? no")], tmp_path / "hf", "# Card\n")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_domain_a_missing_card_and_a_boxless_system_text_are_errors(
    tmp_path: Path,
) -> None:
    store = store_with(tmp_path / "data", [problem_row(0, kept=False, reason="duplicate")])
    for domain in ("counting", "charts"):
        with pytest.raises(ExportError, match=f"'{domain}' has no kept problem"):
            list(accepted_problems(store, domain))
    with pytest.raises(ExportError, match="no problem to write"):
        export_easyr1([], tmp_path / "easyr1", GRADER)
    with pytest.raises(ExportError, match="card"):
        export_hf([problem(0)], tmp_path / "hf", " \n")
    with pytest.raises(ExportError, match="boxed"):
        export_trl([problem(0)], tmp_path / "trl", GRADER, system="Think.")


def test_an_older_version_of_the_problems_can_be_exported(tmp_path: Path) -> None:
    store = store_with(tmp_path, [problem_row(0), problem_row(1)])
    version = store.version("problems")
    store_with(tmp_path, [problem_row(2)])
    assert [p.problem_id for p in accepted_problems(store, "counting", version)] == ["p000", "p001"]
    assert [p.problem_id for p in accepted_problems(store, "counting")] == ["p002"]


def test_datasets_3_and_later_read_the_description_of_the_columns(tmp_path: Path) -> None:
    """Version 3 knows no feature "List"; both read a list as a JSON list of one feature."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    export_all([problem(n) for n in range(3)], tmp_path)
    arrow = next((tmp_path / "hf").glob("*.arrow"))
    with pa.memory_map(str(arrow)) as source:
        streamed = pa.ipc.open_stream(source).schema
    described = {
        "easyr1": json.loads(
            pq.read_schema(tmp_path / "easyr1/train.parquet").metadata[b"huggingface"]
        ),
        "trl": json.loads(pq.read_schema(tmp_path / "trl/train.parquet").metadata[b"huggingface"]),
        "hf": json.loads(streamed.metadata[b"huggingface"]),
    }
    features = {name: description["info"]["features"] for name, description in described.items()}
    info = json.loads((tmp_path / "hf" / "dataset_info.json").read_text())
    assert info["features"] == features["hf"]
    assert features["easyr1"]["images"] == [{"_type": "Image"}]
    assert features["trl"]["image"] == {"_type": "Image"}
    text = {"dtype": "string", "_type": "Value"}
    assert features["trl"]["prompt"] == [{"role": text, "content": text}]
    assert features["hf"]["neutralised"] == [text]
    assert '"List"' not in json.dumps(features)
