from pathlib import Path

import pytest
import yaml

from rolesynth_assets.benchmarks import tasks
from rolesynth_assets.clip import library
from rolesynth_assets.errors import InputError
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
        load(tmp_path)
    assert str(path) in str(caught.value) and "name" in str(caught.value)
