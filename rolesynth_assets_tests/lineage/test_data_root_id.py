"""A Dagster home and a data root belong together, and are compared at every start."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.cli.dagster_home import prepare_home
from rolesynth_assets.files import object_store
from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.lineage.data_root_id import (
    OtherDataRootError,
    adopt_data_root,
    check_data_root,
    recorded_root,
    root_id,
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        yield instance


def with_tables(root: Path) -> Path:
    (root / "lance").mkdir(parents=True)
    return root


def test_the_first_start_records_the_root(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    found = check_data_root(instance, tmp_path / "one")
    assert found == recorded_root(instance) == check_data_root(instance, tmp_path / "one")
    assert root_id(tmp_path / "one") == found.id


@pytest.mark.parametrize("filled", [True, False])
def test_another_project_under_the_same_home_is_refused(
    instance: dg.DagsterInstance, tmp_path: Path, filled: bool
) -> None:
    check_data_root(instance, tmp_path / "one")
    other = with_tables(tmp_path / "two") if filled else tmp_path / "two"
    for _ in range(2):
        with pytest.raises(OtherDataRootError, match=r"records what was made in .*one, but"):
            check_data_root(instance, other)
    check_data_root(instance, tmp_path / "one")  # the first project is as it was
    adopt_data_root(instance, other)
    check_data_root(instance, other)


def test_a_moved_root_is_the_same(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    check_data_root(instance, with_tables(tmp_path / "one"))
    shutil.move(tmp_path / "one", tmp_path / "moved")
    assert check_data_root(instance, tmp_path / "moved").path == str(tmp_path / "moved")


def test_a_copy_is_refused_while_the_other_root_is_there(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    check_data_root(instance, with_tables(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    for _ in range(2):
        with pytest.raises(OtherDataRootError, match=r"copy is a copy of it: both are there"):
            check_data_root(instance, tmp_path / "copy")
    check_data_root(instance, tmp_path / "one")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    check_data_root(instance, tmp_path / "link")  # another name of the same folder
    shutil.rmtree(tmp_path / "one")
    check_data_root(instance, tmp_path / "copy")


def test_a_root_that_was_deleted_is_made_again(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    before = check_data_root(instance, with_tables(tmp_path / "one"))
    shutil.rmtree(tmp_path / "one")
    assert check_data_root(instance, tmp_path / "one") == before


def test_tables_without_an_id_are_those_of_somebody_else(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    check_data_root(instance, tmp_path / "one")
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(OtherDataRootError):
        check_data_root(instance, with_tables(tmp_path / "old"))


def test_a_root_in_a_bucket_is_compared_too(
    instance: dg.DagsterInstance, tmp_path: Path, bucket_root: str
) -> None:
    one, two = data_path(f"{bucket_root}/one"), data_path(f"{bucket_root}/two")
    found = check_data_root(instance, one)
    assert found == check_data_root(instance, one) and root_id(one) == found.id
    with pytest.raises(OtherDataRootError):
        check_data_root(instance, two)
    with pytest.raises(OtherDataRootError):
        check_data_root(instance, tmp_path / "three")


def test_a_bucket_that_does_not_answer_is_not_gone(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    bucket_root: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_data_root(instance, data_path(bucket_root))
    monkeypatch.setattr(object_store, "RETRY_S", 0.1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OtherDataRootError):  # an empty folder does not take its place
        check_data_root(instance, tmp_path / "empty")


def test_hosts_that_begin_at_once_give_a_root_one_id(bucket_root: str) -> None:
    root = data_path(bucket_root)

    def begin(_: int) -> str:
        with dg.DagsterInstance.ephemeral() as instance:
            return check_data_root(instance, root).id

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(begin, range(4))) == {root_id(root)}


def test_every_start_compares_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "one"))
    prepare_home()
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "two"))
    with pytest.raises(OtherDataRootError):
        prepare_home()
