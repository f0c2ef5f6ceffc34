"""The version of a table as its manifests' names say it is the one that Lance says."""

from pathlib import Path

import lance
import pyarrow as pa
import pytest

from rolesynth_assets.store.lance.manifests import latest_version


@pytest.mark.parametrize("newer_names", [True, False])
def test_it_is_what_lance_says(tmp_path: Path, newer_names: bool) -> None:
    table = tmp_path / "t.lance"
    assert latest_version(table) is None
    rows = pa.table({"n": [1]})
    for mode in ("create", *["append"] * 11):
        made = lance.write_dataset(rows, table, mode=mode, enable_v2_manifest_paths=newer_names)
        assert latest_version(table) == made.version
    lance.dataset(table, version=3).restore()
    assert latest_version(table) == lance.dataset(table).version == 13


def test_other_names_are_left_to_lance(tmp_path: Path) -> None:
    (tmp_path / "_versions").mkdir()
    for name in ("1.manifest", "detached.manifest"):
        (tmp_path / "_versions" / name).touch()
    assert latest_version(tmp_path) is None
