from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rolesynth_assets.cads.seeds import files as seed_files
from rolesynth_assets.cads.seeds.files import SeedFileError
from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject, read_seeds
from rolesynth_assets.cads.seeds.rows import seed_reject_rows, seed_rows, seeds_from_rows
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.store.lance.store import Store


def png(seed: int, size: tuple[int, int] = (40, 32)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(png(number))
    return tmp_path


def jsonl(folder: Path, *rows: object, name: str = "seeds.jsonl") -> Path:
    path = folder / name
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def accepted(path: Path) -> list[Seed]:
    rows = list(read_seeds(path, "maths"))
    assert all(isinstance(row, Seed) for row in rows), rows
    return [row for row in rows if isinstance(row, Seed)]


def only_reject(path: Path) -> SeedReject:
    rows = list(read_seeds(path, "maths"))
    assert len(rows) == 1
    assert isinstance(rows[0], SeedReject), rows[0]
    return rows[0]


PROBLEM = {"problem": "<image> How many?", "answer": "3", "images": ["pictures/0.png"]}


def test_a_line_with_problem_answer_and_images_is_a_seed(folder):
    (seed,) = accepted(jsonl(folder, PROBLEM))
    assert seed.problem == "<image> How many?"
    assert seed.answer == "3"
    assert seed.images == (png(0),)
    assert seed.domain == "maths"
    assert seed.source == "seeds.jsonl:1"


def test_a_description_is_a_seed_without_images(folder):
    (seed,) = accepted(jsonl(folder, {"description": "reading bar charts"}))
    assert (seed.problem, seed.answer, seed.images) == ("reading bar charts", None, ())


def test_numbers_are_answers_as_they_are_spelled(folder):
    path = jsonl(folder, *(f'{{"problem": "q{n}", "answer": {n}}}' for n in ("1.10", "7")))
    assert [seed.answer for seed in accepted(path)] == ["1.10", "7"]


def test_an_image_may_stand_in_the_line_itself(folder):
    uri = "data:image/png;base64," + base64.b64encode(png(5)).decode()
    (seed,) = accepted(jsonl(folder, {"problem": "<image>?", "images": [uri]}))
    assert seed.images == (png(5),)


def test_parquet_holds_paths_bytes_or_structs(folder):
    kinds = {
        "paths": pa.array([["pictures/0.png", "pictures/1.png"]], pa.list_(pa.string())),
        "bytes": pa.array([[png(0), png(1)]], pa.list_(pa.binary())),
        "structs": pa.array(
            [[{"bytes": png(0), "path": None}, {"bytes": None, "path": "pictures/1.png"}]],
            pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        ),
    }
    found = []
    for name, images in kinds.items():
        table = pa.table({"problem": ["<image> or <image>?"], "answer": [2], "images": images})
        pq.write_table(table, folder / f"{name}.parquet")
        found += accepted(folder / f"{name}.parquet")
    assert {seed.images for seed in found} == {(png(0), png(1))}
    assert {seed.answer for seed in found} == {"2"}
    assert len({seed.seed_id for seed in found}) == 1


def test_identity_is_domain_problem_and_images_and_not_the_answer(folder):
    path = jsonl(folder, PROBLEM)
    (seed,) = accepted(path)
    (other_domain,) = (row for row in read_seeds(path, "physics") if isinstance(row, Seed))
    (other_answer,) = accepted(jsonl(folder, {**PROBLEM, "answer": "4"}))
    (other_image,) = accepted(jsonl(folder, {**PROBLEM, "images": ["pictures/1.png"]}))
    (other_text,) = accepted(jsonl(folder, {**PROBLEM, "problem": "<image> How few?"}))
    assert other_answer.seed_id == seed.seed_id
    ids = {row.seed_id for row in (seed, other_domain, other_image, other_text)}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", SeedReason.UNREADABLE),
        ("[1]", SeedReason.UNREADABLE),
        ("[" * 100_000, SeedReason.UNREADABLE),
        ({}, SeedReason.NO_PROBLEM),
        ({"problem": "  "}, SeedReason.NO_PROBLEM),
        ({"problem": 5}, SeedReason.NO_PROBLEM),
        ('{"problem": "\\ud800"}', SeedReason.NO_PROBLEM),
        ({"problem": "x" * 8_001}, SeedReason.TEXT_TOO_LONG),
        ({"problem": "q", "answer": "x" * 2_001}, SeedReason.TEXT_TOO_LONG),
        ({"problem": "q", "answer": ["a"]}, SeedReason.BAD_ANSWER),
        ({"problem": "q", "answer": True}, SeedReason.BAD_ANSWER),
        ({**PROBLEM, "images": []}, SeedReason.IMAGE_COUNT),
        ({**PROBLEM, "problem": "How many?"}, SeedReason.IMAGE_COUNT),
        ({"problem": "<image>" * 9, "images": ["pictures/0.png"] * 9}, SeedReason.IMAGE_COUNT),
        ({**PROBLEM, "images": ["../secret.png"]}, SeedReason.UNSAFE_PATH),
        ({**PROBLEM, "images": ["pictures/../../secret.png"]}, SeedReason.UNSAFE_PATH),
        ({**PROBLEM, "images": ["/etc/hostname"]}, SeedReason.UNSAFE_PATH),
        ({**PROBLEM, "images": ["..\\secret.png"]}, SeedReason.UNSAFE_PATH),
        ({**PROBLEM, "images": ["pictures/9.png"]}, SeedReason.BAD_IMAGE),
        ({**PROBLEM, "images": ["pictures"]}, SeedReason.BAD_IMAGE),
        ({**PROBLEM, "images": ["seeds.jsonl"]}, SeedReason.BAD_IMAGE),
        ({**PROBLEM, "images": ["data:image/png;base64,@@"]}, SeedReason.BAD_IMAGE),
        ({**PROBLEM, "images": ["data:text/plain,x"]}, SeedReason.BAD_IMAGE),
        ({**PROBLEM, "images": [7]}, SeedReason.BAD_IMAGE),
    ],
)
def test_a_row_that_cannot_be_used_has_a_reason(folder, row, reason):
    (folder.parent / "secret.png").write_bytes(png(9))
    reject = only_reject(jsonl(folder, row))
    assert reject.reason is reason
    assert reject.detail
    assert reject.source == "seeds.jsonl:1"


def test_a_seed_without_a_mark_for_its_image_is_told_what_it_needs(folder):
    assert only_reject(jsonl(folder, {**PROBLEM, "problem": "How many?"})).detail == (
        "1 images and 0 <image> in the problem; it needs one where each image belongs, at most 8"
    )


def test_a_picture_too_small_to_see_is_refused(folder):
    (folder / "dot.png").write_bytes(png(0, (3, 3)))
    reject = only_reject(jsonl(folder, {**PROBLEM, "images": ["dot.png"]}))
    assert "side_too_short" in reject.detail


def test_one_bad_row_stops_no_other_and_lines_keep_their_numbers(folder):
    rows = list(read_seeds(jsonl(folder, PROBLEM, "", "{", {"description": "d"}), "maths"))
    assert [row.source for row in rows] == ["seeds.jsonl:1", "seeds.jsonl:3", "seeds.jsonl:4"]
    assert [isinstance(row, Seed) for row in rows] == [True, False, True]


def test_a_line_without_end_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(seed_files, "MAX_LINE", 1_000)
    path = jsonl(folder, {"description": "x" * 5_000_000}, {"description": "short"})
    first, second = read_seeds(path, "maths")
    assert isinstance(first, SeedReject)
    assert first.reason is SeedReason.UNREADABLE
    assert isinstance(second, Seed)


def test_the_same_seed_counts_once_over_all_files_of_a_folder(folder):
    jsonl(folder, PROBLEM, name="a.jsonl")
    jsonl(folder, {**PROBLEM, "answer": "other"}, {"description": "d"}, name="b.jsonl")
    (folder / "notes.txt").write_text("no seeds")
    rows = list(read_seeds(folder, "maths"))
    assert [row.source for row in rows] == ["a.jsonl:1", "b.jsonl:1", "b.jsonl:2"]
    assert isinstance(rows[1], SeedReject)
    assert rows[1].reason is SeedReason.DUPLICATE
    assert "a.jsonl:1" in rows[1].detail


@pytest.mark.parametrize("name", ["gone.jsonl", "seeds.csv", "empty", "broken.parquet"])
def test_missing_input_is_an_error_and_no_empty_result(folder, name):
    (folder / "seeds.csv").write_text("problem,answer\n")
    (folder / "empty").mkdir()
    (folder / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SeedFileError, match=name):
        list(read_seeds(folder / name, "maths"))


def test_parquet_without_a_usable_column_says_what_it_has(folder):
    pq.write_table(pa.table({"query": ["q"]}), folder / "x.parquet")
    with pytest.raises(SeedFileError, match="it has: query"):
        list(read_seeds(folder / "x.parquet", "maths"))


def test_seeds_and_rejects_go_through_the_store_and_back(folder, tmp_path):
    rows = list(read_seeds(jsonl(folder, {"description": "d"}, PROBLEM, "{"), "maths"))
    seeds = [row for row in rows if isinstance(row, Seed)]
    rejects = [row for row in rows if isinstance(row, SeedReject)]
    store = Store(tmp_path / "store")
    store.append("seeds", {"domain": "maths"}, seed_rows(seeds))
    store.append("seed_rejects", {"domain": "maths"}, seed_reject_rows(rejects))
    assert seeds_from_rows(store.read("seeds", {"domain": "maths"})) == seeds
    (stored,) = store.read("seed_rejects", {"domain": "maths"}).to_pylist()
    assert (stored["reason"], stored["source"]) == ("unreadable", "seeds.jsonl:3")
