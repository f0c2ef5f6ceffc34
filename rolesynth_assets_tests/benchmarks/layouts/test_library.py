"""Benchmarks as their publishers ship them, with the split and the captions that papers count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rolesynth_assets.benchmarks.datasets import (
    found_in,
    read_classification,
    read_retrieval,
    task_digest,
)
from rolesynth_assets.benchmarks.layouts.library import layout_of, layouts
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets_tests.benchmarks.layouts import published_files as files


def task(path: Path, kind: TaskKind = TaskKind.RETRIEVAL, **fields) -> Task:
    return Task(name="t", kind=kind, path=str(path), **fields)


def names(of: Task) -> list[str]:
    return [sample.image.path.name for sample in read_retrieval(of).images]


def test_every_module_with_a_layout_is_one():
    assert set(layouts()) == {
        *("clip_benchmark", "coco_captions", "flickr30k", "imagenet", "karpathy", "urban1k"),
    }


def test_coco_counts_the_first_five_captions_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = files.coco(tmp_path)
    data = read_retrieval(task(tmp_path))
    assert names(task(tmp_path)) == [f"{n:012d}.jpg" for n in (898, 899, 900)]
    assert data.captions[:5] == tuple(f"caption {k} of 898" for k in range(5))
    assert len(data.captions) == 15
    assert len(read_retrieval(task(tmp_path, captions_per_image=None)).captions) == 18
    assert names(task(path)) == names(task(tmp_path))  # the path may be the file itself
    files.coco(tmp_path, split="train2017")
    assert names(task(tmp_path)) == [f"{n:012d}.jpg" for n in (898, 899, 900)]
    assert len(names(task(tmp_path, split="train2017"))) == 3
    with pytest.raises(BenchmarkError, match=r"no captions_test.json .*train2017.*set `split`"):
        read_retrieval(task(tmp_path, split="test"))


@pytest.mark.parametrize(("name", "folder"), [("coco", "val2014"), ("flickr30k", "")])
def test_karpathys_test_split(tmp_path: Path, name: str, folder: str) -> None:
    files.karpathy(tmp_path, name, folder)
    assert names(task(tmp_path)) == ["1.jpg", "3.jpg"]
    assert len(read_retrieval(task(tmp_path)).captions) == 10
    assert names(task(tmp_path, split="restval")) == ["2.jpg"]
    with pytest.raises(BenchmarkError, match=r"no split 'dev' but restval, test, train, val"):
        read_retrieval(task(tmp_path, split="dev"))


def test_flickrs_table_with_splits(tmp_path: Path) -> None:
    files.flickr_csv(tmp_path)
    data = read_retrieval(task(tmp_path))
    assert names(task(tmp_path)) == ["1.jpg", "3.jpg"]
    assert data.captions[0] == 'caption 0 of "1", said'
    assert len(names(task(tmp_path, split="all"))) == 4


@pytest.mark.parametrize("make", [files.flickr_token, files.flickr_bars])
def test_flickrs_tables_without_splits_need_a_list(tmp_path: Path, make) -> None:
    make(tmp_path)
    with pytest.raises(BenchmarkError, match=r"no splits: put .* into test.txt"):
        read_retrieval(task(tmp_path))
    assert len(names(task(tmp_path, split="all"))) == 4
    files.put(tmp_path / "test.txt", "1\n3.jpg\n")
    data = read_retrieval(task(tmp_path))
    assert names(task(tmp_path)) == ["1.jpg", "3.jpg"]
    assert len(data.captions) == 10
    assert data.captions[-1].startswith("caption 4 of 3")


@pytest.mark.parametrize("folder", ["", "Urban1k"])
def test_urban1k_counts_the_first_line(tmp_path: Path, folder: str) -> None:
    files.urban(tmp_path / folder)
    assert names(task(tmp_path)) == ["1.jpg", "2.jpg", "10.jpg"]
    assert read_retrieval(task(tmp_path)).captions == ("street 1.", "street 2.", "street 10.")
    (tmp_path / folder / "caption" / "2.txt").unlink()
    with pytest.raises(BenchmarkError, match=r"2.jpg has no caption"):
        read_retrieval(task(tmp_path))


@pytest.mark.parametrize("folder", ["", "val"])
def test_imagenet_by_wordnet_id_has_openais_names(tmp_path: Path, folder: str) -> None:
    files.imagenet(tmp_path / folder)
    data = read_classification(task(tmp_path, TaskKind.CLASSIFICATION))
    assert data.class_names == ("tench", "goldfish", "toilet paper")
    assert data.labels.tolist() == [0, 0, 1, 2, 2, 2]
    assert len(data.templates) == 80 and all("{c}" in template for template in data.templates)


def test_folders_that_are_no_class_of_imagenet_need_names(tmp_path: Path) -> None:
    files.imagenet(tmp_path, ("n00000001", "n00000002"))
    asked = task(tmp_path, TaskKind.CLASSIFICATION)
    with pytest.raises(BenchmarkError, match=r"n00000001, are no classes .* classnames.txt"):
        read_classification(asked)
    files.put(tmp_path / "classnames.txt", "one\ntwo\n")
    assert read_classification(asked).class_names == ("one", "two")
    files.put(tmp_path / "classnames.txt", "one\n")
    with pytest.raises(BenchmarkError, match="1 names for 2 folders"):
        read_classification(asked)


def test_files_of_two_layouts_are_not_guessed(tmp_path: Path) -> None:
    files.coco(tmp_path)
    files.karpathy(tmp_path)
    with pytest.raises(BenchmarkError, match="coco_captions, karpathy; set `layout`"):
        read_retrieval(task(tmp_path))
    assert len(names(task(tmp_path, layout="karpathy"))) == 2
    assert len(names(task(tmp_path, layout="coco_captions"))) == 3
    with pytest.raises(BenchmarkError, match="no layout 'coco'; there are"):
        read_retrieval(task(tmp_path, layout="coco"))
    with pytest.raises(BenchmarkError, match="not laid out as urban1k: Urban1k as"):
        read_retrieval(task(tmp_path, layout="urban1k"))


def test_several_files_of_captions_are_named(tmp_path: Path) -> None:
    files.karpathy(tmp_path)
    files.karpathy(tmp_path, "flickr30k", "")
    with pytest.raises(BenchmarkError, match=r"dataset_coco.json, dataset_flickr30k.json; name"):
        read_retrieval(task(tmp_path))
    asked = task(tmp_path, annotations="dataset_flickr30k.json")
    assert layout_of(asked)[0].name == "karpathy"
    assert len(names(asked)) == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"val2017/000000000899.jpg": None}, r"'000000000899.jpg' is missing .*1 of 3 images"),
        ({"annotations/captions_val2017.json": "{"}, "cannot be read as JSON"),
        ({"annotations/captions_val2017.json": "[1]"}, "has not the form of COCO"),
        ({"annotations/captions_val2017.json": '{"images": [{"id": 1}]}'}, "not the form of COCO"),
    ],
)
def test_what_is_wrong_with_the_files_is_named(tmp_path: Path, spoil: dict, said: str) -> None:
    files.coco(tmp_path)
    for name, content in spoil.items():
        (tmp_path / name).unlink()
        if content is not None:
            files.put(tmp_path / name, content)
    with pytest.raises(BenchmarkError, match=said):
        read_retrieval(task(tmp_path))


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = files.coco(tmp_path / "coco")
    files.put(tmp_path / "secret.jpg", files.picture(1))
    path.write_text(path.read_text().replace("000000000899.jpg", "../../secret.jpg"))
    with pytest.raises(BenchmarkError, match="leads out of"):
        read_retrieval(task(tmp_path / "coco"))


def test_what_was_found_is_said_in_one_line(tmp_path: Path) -> None:
    files.coco(tmp_path)
    found = found_in(task(tmp_path))
    assert "layout coco_captions, 3 images, 15 captions (first 5 of each)" in found
    assert task_digest(task(tmp_path))[:16] in found
    with pytest.raises(BenchmarkError, match="has 3 images, but the task expects 5000"):
        found_in(task(tmp_path, expected_images=5000))


def _without(key: str, content: dict) -> dict:
    return {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: [], "it is no object of JSON"),
        (lambda c: _without("annotations", c), "'annotations' is missing"),
        (lambda c: c | {"annotations": [{"image_id": 5, "caption": "x"}]}, "5 is missing or not"),
        (
            lambda c: c | {"annotations": [c["annotations"][0] | {"caption": None}]},
            "a caption is None, which is no text",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_words(tmp_path: Path, change, said: str) -> None:
    path = files.coco(tmp_path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BenchmarkError, match=said):
        read_retrieval(task(tmp_path))


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    path = files.coco(tmp_path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    with pytest.raises(BenchmarkError, match="git lfs pull"):
        read_retrieval(task(tmp_path))
