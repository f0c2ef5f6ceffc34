from pathlib import Path

import pytest
import yaml

from rolesynth_assets.benchmarks import tasks
from rolesynth_assets.clip import library
from rolesynth_assets.errors import InputError, digests_or_faults
from rolesynth_assets.r1 import library as r1_library
from rolesynth_assets.roles import library as roles

LOADERS = {
    "recipe": (library.load_recipes, library.SHIPPED / "roles5.yaml"),
    "policy recipe": (r1_library.load_r1_recipes, r1_library.SHIPPED_RECIPES / "base.yaml"),
    "benchmark": (tasks.load_tasks, tasks.SHIPPED_TASKS / "glyphs.yaml"),
    "held-out benchmark": (
        r1_library.load_r1_benchmarks,
        r1_library.SHIPPED_BENCHMARKS / "counting.yaml",
    ),
    "role set": (roles.load_role_sets, roles.SHIPPED_SETS / "roles5.yaml"),
}


@pytest.mark.parametrize("name", ["a...b", "a....b", "a\nb", "a\tb", "a|b", "a/b"])
@pytest.mark.parametrize("what", LOADERS)
def test_a_name_that_no_partition_may_have_is_refused_with_its_file(
    tmp_path: Path, what: str, name: str
) -> None:
    load, shipped = LOADERS[what]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(shipped.read_text()) | {"name": name}))
    with pytest.raises(InputError) as caught:
        load(tmp_path).whole()
    assert str(path) in str(caught.value) and "name" in str(caught.value)


@pytest.mark.parametrize("what", LOADERS)
def test_a_broken_file_stops_nothing_but_what_needs_it(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    load, shipped = LOADERS[what]
    content = yaml.safe_load(shipped.read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content | {"name": "mine"}))
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(content | {"name": "bad", "nonsense": 1}))
    (tmp_path / "torn.yaml").write_text("name: [")
    found = load(tmp_path)
    assert "mine" in found and shipped.stem in found
    assert set(found.broken) == {"bad", "torn"}
    assert set(found.keys_of_all()) == {*found, "bad", "torn"}
    assert str(tmp_path / "other.yaml") in caplog.text and "nonsense" in caplog.text
    assert str(tmp_path / "torn.yaml") in caplog.text
    with pytest.raises(InputError, match="nonsense"):
        found["bad"]
    with pytest.raises(KeyError):
        found["absent"]
    digests = found.digests(lambda value: value.name)
    assert digests["mine"] == "mine"
    assert digests["bad"].startswith("unusable-") and digests["bad"] != digests["torn"]


@pytest.mark.parametrize("what", LOADERS)
def test_a_broken_file_takes_the_place_of_a_shipped_one(tmp_path: Path, what: str) -> None:
    load, shipped = LOADERS[what]
    content = yaml.safe_load(shipped.read_text())
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content | {"nonsense": 1}))
    with pytest.raises(InputError, match=r"own\.yaml"):
        load(tmp_path)[content["name"]]


def test_what_cannot_be_read_has_the_digest_of_its_fault(caplog: pytest.LogCaptureFixture) -> None:
    def digest(value: int) -> str:
        if value < 0:
            raise OSError(f"no {value}")
        return str(value)

    found = digests_or_faults({"one": 1, "two": -2, "three": -3}, digest)
    assert found["one"] == "1"
    assert found["two"].startswith("unusable-") and found["two"] != found["three"]
    assert "two: no -2" in caplog.text
