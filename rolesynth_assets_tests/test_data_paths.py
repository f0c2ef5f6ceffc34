import re
from pathlib import Path

import pytest

import rolesynth_assets
from rolesynth_assets.data_paths import DataPaths

PACKAGE = Path(rolesynth_assets.__file__).parent
SPELLED = re.compile(
    r"""\.duckdb["']|/ f?["'](shards|journals|reports|checkpoints|r1_checkpoints|exports|locks|"""
    r"""lance|small|embedded_world)\b"""
)


def test_no_other_module_spells_a_place_below_the_data_root() -> None:
    # the embedded world's own `shards` folder lies below `embedded_world`, not below the root
    others = PACKAGE.rglob("*.py")
    found = {
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in others
        for line in path.read_text().splitlines()
        if SPELLED.search(line) and path.name != "data_paths.py"
    }
    assert found == {'embedded/world/write.py: shards = folder / "shards"'}


@pytest.mark.parametrize("root", ["s3://bucket/data", "s3://bucket/data/"])
def test_the_tables_may_lie_below_a_url(root: str) -> None:
    assert DataPaths(root).lance_table("images") == "s3://bucket/data/lance/images.lance"
    assert DataPaths(root).small_table("cutoffs") == "s3://bucket/data/small/cutoffs.lance"


def test_recipes_of_clip_and_r1_with_one_name_have_two_folders(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    assert paths.clip_checkpoint("base", 0) == tmp_path / "checkpoints/base/seed-0"
    assert paths.r1_checkpoint("base", 0) == tmp_path / "r1_checkpoints/base/seed-0"
