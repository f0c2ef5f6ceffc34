"""The layout against CLIP_benchmark's own way of reading and writing it, with webdataset."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from webdataset.compat import WebDataset
from webdataset.writer import ShardWriter

from rolesynth_assets.benchmarks.datasets import (
    image_hashes,
    read_classification,
    read_retrieval,
    task_digest,
)
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.embedded.world.write_benchmark import write_classification, write_retrieval
from rolesynth_assets.store.digests import image_id

CAPTIONS = [["a red cat", "the cat"], ["two dogs"], ["éléphant gris", "one", "two"]]


def _image(index: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (10 * index, 20, 30)).save(out, format="PNG")
    return out.getvalue()


def _task(path: Path, kind: TaskKind = TaskKind.RETRIEVAL, **fields) -> Task:
    return Task(name="t", kind=kind, path=str(path), **fields)


def _retrieval(root: Path, tars: bool = False) -> Task:
    samples = [(_image(index), captions) for index, captions in enumerate(CAPTIONS)]
    assert write_retrieval(root, samples, tars=tars) == 3
    return _task(root)


def _classes(root: Path, tars: bool = False) -> Task:
    write_classification(
        root,
        [(_image(index), index % 2) for index in range(5)],
        class_names=["cat", "big dog"],
        templates=["a photo of a {c}.", "{c}"],
        tars=tars,
    )
    return _task(root, TaskKind.CLASSIFICATION)


def _as_clip_benchmark_reads(root: Path, label: str) -> list[tuple[bytes, object]]:
    """`build_wds_dataset`, without decoding the pixels."""
    shards = int((root / "test" / "nshards.txt").read_text())
    urls = [str(root / "test" / f"{index}.tar") for index in range(shards)]
    dataset = WebDataset(urls, shardshuffle=False).decode()
    tuples: Any = dataset.to_tuple("webp;png;jpg;jpeg", label)
    return list(tuples)


@pytest.mark.parametrize("tars", [False, True])
def test_written_captions_come_back(tmp_path: Path, tars: bool) -> None:
    data = read_retrieval(_retrieval(tmp_path, tars))
    assert data.captions == tuple(text for captions in CAPTIONS for text in captions)
    assert data.caption_image.tolist() == [0, 0, 1, 2, 2, 2]
    assert [sample.image.read() for sample in data.images] == [_image(i) for i in range(3)]


@pytest.mark.parametrize("tars", [False, True])
def test_written_classes_come_back(tmp_path: Path, tars: bool) -> None:
    data = read_classification(_classes(tmp_path, tars))
    assert (data.labels.tolist(), str(data.labels.dtype)) == ([0, 1, 0, 1, 0], "int64")
    assert data.class_names == ("cat", "big dog")
    assert data.templates == ("a photo of a {c}.", "{c}")


def test_written_tars_are_read_by_webdataset_as_clip_benchmark_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rolesynth_assets.embedded.world.write_benchmark.IMAGES_PER_TAR", 2)
    _retrieval(tmp_path / "r", tars=True)
    read = _as_clip_benchmark_reads(tmp_path / "r", "txt")
    assert [image for image, _ in read] == [_image(index) for index in range(3)]
    assert [str(text).splitlines() for _, text in read] == CAPTIONS
    _classes(tmp_path / "c", tars=True)
    assert [label for _, label in _as_clip_benchmark_reads(tmp_path / "c", "cls")] == [
        0,
        1,
        0,
        1,
        0,
    ]


def test_tars_written_by_clip_benchmark_are_read_in_shard_order(tmp_path: Path) -> None:
    # `convert_retrieval_dataset`: ShardWriter, keys s%07d, one caption a line; eleven shards, so
    # that an alphabetical order of the names would be wrong
    (tmp_path / "test").mkdir()
    writer = ShardWriter(str(tmp_path / "test" / "%d.tar"), maxcount=1, verbose=0)
    for index in range(11):
        writer.write({"__key__": f"s{index:07d}", "png": _image(index), "txt": f"text {index}"})
    writer.close()
    (tmp_path / "dataset_type.txt").write_text("retrieval\n")
    expected = tuple(f"text {index}" for index in range(11))
    assert read_retrieval(_task(tmp_path)).captions == expected
    (tmp_path / "test" / "nshards.txt").write_text("11\n")
    assert read_retrieval(_task(tmp_path)).captions == expected


def test_a_single_tar_finds_its_text_files_one_folder_up(tmp_path: Path) -> None:
    _classes(tmp_path, tars=True)
    task = _task(tmp_path / "test" / "0.tar", TaskKind.CLASSIFICATION)
    assert read_classification(task).class_names == ("cat", "big dog")


def test_a_plain_folder_without_split_is_read_and_strange_files_passed_over(tmp_path: Path) -> None:
    _retrieval(tmp_path / "from")
    shutil.copytree(tmp_path / "from" / "test", tmp_path / "flat")
    for name in ("._s0000000.png", ".DS_Store", "README.md", "s0000000.json"):
        (tmp_path / "flat" / name).write_text("x")
    assert len(read_retrieval(_task(tmp_path / "flat")).images) == 3


def test_the_first_captions_count_with_the_prefix_before_each(tmp_path: Path) -> None:
    root = tmp_path / "t"
    write_retrieval(root, [(_image(0), list("abcdefg")), (_image(1), list("hijkl"))])
    task = _task(root, captions_per_image=5, text_prefix="A photo of ")
    data = read_retrieval(task)
    assert data.captions == tuple(f"A photo of {letter}" for letter in "abcdehijkl")
    assert len(read_retrieval(_task(root)).captions) == 12


def test_members_of_a_tar_may_come_in_any_order_and_never_become_paths(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name, data in (
            *(("../../b.txt", b"two"), ("a.txt", b"one")),
            *(("a.PNG", _image(0)), ("../../b.png", _image(1))),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("c.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    data = read_retrieval(_task(tmp_path))
    pairs = {
        (c, data.images[i].image.read())
        for c, i in zip(data.captions, data.caption_image, strict=True)
    }
    assert pairs == {("one", _image(0)), ("two", _image(1))}


def _spoil(root: Path, name: str, content: bytes | None) -> None:
    path = root / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "name", "content", "said"),
    [
        (_retrieval, "test/s0000001.txt", None, "s0000001: has png but needs"),
        (_retrieval, "test/s0000001.png", None, "s0000001: has txt but needs"),
        (_retrieval, "test/s0000001.txt", b" \n\n", "has 0 captions"),
        (_retrieval, "test/s0000001.txt", b"\xff\xfe\xff", "no UTF-8"),
        (_retrieval, "dataset_type.txt", b"multilabel\n", "says 'multilabel'"),
        (_classes, "dataset_type.txt", b"retrieval\n", "says 'retrieval'"),
        (_classes, "test/s0000002.cls", b"2", "label '2' is not a class index from 0 to 1"),
        (_classes, "test/s0000002.cls", b"-1", "label '-1'"),
        (_classes, "test/s0000002.cls", b"cat", "label 'cat'"),
        (_classes, "classnames.txt", None, "classnames.txt is missing"),
        (_classes, "classnames.txt", b"cat\n", "has one class"),
        (_classes, "classnames.txt", b"cat\n\ndog\n", "blank line"),
        (_classes, "zeroshot_classification_templates.txt", b"a photo\n", "has no {c}"),
        (_classes, "test/nshards.txt", b"2\n", r"promises 2 shards, but 0.tar, 1.tar are missing"),
        (_classes, "test/nshards.txt", b"two\n", "expected a number"),
        (_classes, "test/0.tar", b"no tar at all", "cannot be read as an uncompressed tar"),
    ],
)
def test_a_faulty_dataset_is_an_error_that_names_the_file(
    tmp_path: Path, make: Callable[[Path], Task], name: str, content: bytes | None, said: str
) -> None:
    task = make(tmp_path)
    _spoil(tmp_path, name, content)
    read = read_retrieval if task.kind is TaskKind.RETRIEVAL else read_classification
    with pytest.raises(BenchmarkError) as caught:
        read(task)
    assert said in str(caught.value)


def test_no_folder_no_sample_and_another_size_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="does not exist; set `path`"):
        read_retrieval(_task(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchmarkError, match="no sample in"):
        read_retrieval(_task(tmp_path / "empty"))
    root = tmp_path / "three"
    _retrieval(root)
    with pytest.raises(BenchmarkError, match="has 3 images, but the task expects 5000"):
        read_retrieval(_task(root, expected_images=5000))
    with pytest.raises(BenchmarkError, match="has 1 captions, but task t needs 2"):
        read_retrieval(_task(root, captions_per_image=2))


def test_hashes_are_the_image_ids_of_ingestion_in_both_forms(tmp_path: Path) -> None:
    expected = {image_id(_image(index)) for index in range(3)}
    assert image_hashes(_retrieval(tmp_path / "plain")) == expected
    assert image_hashes(_retrieval(tmp_path / "tars", tars=True)) == expected


def test_the_digest_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    plain, tars = _retrieval(tmp_path / "plain"), _retrieval(tmp_path / "tars", tars=True)
    before = task_digest(plain)
    assert task_digest(tars) == before
    assert task_digest(plain.model_copy(update={"captions_per_image": 1})) != before
    _spoil(tmp_path / "plain", "test/s0000000.txt", b"another caption")
    assert task_digest(plain) != before
    classes = _classes(tmp_path / "classes")
    before = task_digest(classes)
    _spoil(tmp_path / "classes", "classnames.txt", b"cat\nhound\n")
    assert task_digest(classes) != before


def test_writing_refuses_what_could_not_be_read_back(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="blank"):
        write_retrieval(tmp_path / "a", [(_image(0), ["ok", " "])])
    assert not (tmp_path / "a" / "test").exists()  # a folder that is there is a whole one
    with pytest.raises(BenchmarkError, match="no sample"):
        write_retrieval(tmp_path / "b", [])
    with pytest.raises(BenchmarkError, match="label 2"):
        write_classification(
            tmp_path / "c", [(_image(0), 2)], class_names=["x", "y"], templates=["{c}"]
        )
    with pytest.raises(BenchmarkError, match=r"\.gif is not in the layout"):
        write_retrieval(tmp_path / "d", [(_image(0), ["x"])], extension="gif")
    _retrieval(tmp_path / "a")  # what the failed write left does not stand in the way
    with pytest.raises(BenchmarkError, match="exists already"):
        _retrieval(tmp_path / "a")


def test_a_caption_of_several_lines_is_written_as_one(tmp_path: Path) -> None:
    write_retrieval(tmp_path, [(_image(0), ["one\ntwo\u2028three  four"])])
    assert read_retrieval(_task(tmp_path)).captions == ("one two three four",)
