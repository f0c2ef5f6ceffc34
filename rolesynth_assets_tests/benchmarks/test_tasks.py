from pathlib import Path

import pytest

from rolesynth_assets.benchmarks.tasks import (
    EXAMPLE_TASKS,
    BenchmarkError,
    TaskKind,
    load_task,
    load_tasks,
)


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_tasks_are_the_embedded_ones_only() -> None:
    tasks = load_tasks()
    assert {name: task.kind for name, task in tasks.items()} == {
        "glyphs": TaskKind.CLASSIFICATION,
        "scenes_long": TaskKind.RETRIEVAL,
        "scenes_long_dev": TaskKind.RETRIEVAL,
        "scenes_short": TaskKind.RETRIEVAL,
        "scenes_short_dev": TaskKind.RETRIEVAL,
    }
    for name, task in tasks.items():
        assert task.resolve("/data") == Path("/data/benchmarks") / name


def test_examples_are_valid_and_fix_what_changes_a_published_number() -> None:
    examples = {path.stem: load_task(path) for path in EXAMPLE_TASKS.glob("*.yaml")}
    assert all(task.name == stem for stem, task in examples.items())
    facts = {
        name: (task.captions_per_image, task.expected_images, task.text_prefix)
        for name, task in examples.items()
    }
    assert facts == {
        "coco_5k": (5, 5000, ""),
        "flickr30k_1k": (5, 1000, ""),
        "urban1k": (1, 1000, ""),
        "imagenet_1k": (None, 50000, ""),
    }


def test_a_users_file_adds_or_replaces(tmp_path: Path) -> None:
    _write(tmp_path, "own.yaml", "{name: own, kind: retrieval, path: ~/own}")
    _write(tmp_path, "g.yml", "{name: glyphs, kind: classification, path: /elsewhere}")
    tasks = load_tasks(tmp_path)
    assert tasks["own"].resolve() == Path.home() / "own"
    assert tasks["glyphs"].path == "/elsewhere"
    assert load_tasks(tmp_path / "absent") == load_tasks()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: a, kind: retrieval}", "field path"),
        ("{name: a, kind: ranking, path: x}", "field kind"),
        ("{name: 'a|b', kind: retrieval, path: x}", "field name"),
        ("{name: a, kind: retrieval, path: x, captions: 5}", "field captions"),
        ("{name: a, kind: retrieval, path: x, captions_per_image: 0}", "field captions_per_image"),
        ("{name: a, kind: retrieval, path: x, split: ../b}", "field split"),
        ("{name: a, kind: classification, path: x, text_prefix: 'A '}", "belong to kind"),
        ("- a", "expected a mapping"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, text: str, said: str) -> None:
    path = _write(tmp_path, "broken.yaml", text)
    with pytest.raises(BenchmarkError) as caught:
        load_tasks(tmp_path).whole()
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        _write(tmp_path, name, "{name: same, kind: retrieval, path: x}")
    with pytest.raises(BenchmarkError, match=r"b\.yaml: field name: 'same' .* a\.yaml"):
        load_tasks(tmp_path).whole()


def test_a_url_and_a_missing_data_root_say_the_way_out(tmp_path: Path) -> None:
    path = _write(tmp_path, "u.yaml", "{name: u, kind: retrieval, path: 'https://x/wds'}")
    with pytest.raises(BenchmarkError, match="download the dataset"):
        load_task(path).resolve("/data")
    with pytest.raises(BenchmarkError, match="pass data_root"):
        load_tasks()["glyphs"].resolve()
