import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("ROLESYNTH_") or name == "OPENAI_API_KEY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def words(result: Result) -> str:
    """The output on one line, without the frames drawn around it."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def test_help_lists_the_commands() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("demo", "ablation", "ingest", "run", "problems", "ui"):
        assert re.search(rf"\b{command}\b", words(result)), command


@pytest.mark.parametrize("command", ["demo", "ablation", "ingest", "run", "problems", "ui"])
def test_every_command_explains_itself(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: root {command}" in words(result)


def test_ingest_of_an_empty_folder_is_refused(project: Path) -> None:
    (project / "empty").mkdir()
    result = invoke("ingest", str(project / "empty"))
    assert result.exit_code == 2
    assert "holds no image" in words(result)
    assert not (project / ".dagster").exists()


def test_ingest_of_nothing_is_refused(project: Path) -> None:
    result = invoke("ingest", str(project / "absent"))
    assert result.exit_code == 2
    assert "There is no" in words(result)


def test_unknown_role_set_lists_the_known_ones(project: Path) -> None:
    result = invoke("run", "--role-set", "roles6")
    assert result.exit_code == 2
    assert "no role set roles6; there are" in words(result)
    assert all(name in words(result) for name in ("roles5", "generic1", "generic5", "generated"))


def test_unknown_recipe_lists_the_known_ones(project: Path) -> None:
    result = invoke("run", "--role-set", "roles5", "--recipe", "roles6")
    assert result.exit_code == 2
    assert "no recipe roles6; there are" in words(result)
    assert "roles5_vit_b16" in words(result)


def test_ingest_reads_a_folder_in_and_then_finds_nothing_new(project: Path) -> None:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets_tests.defs.small_graph import write_pictures

    folder = write_pictures(project / "photos", range(3))
    first = invoke("ingest", str(folder), "--name", "mine")
    assert first.exit_code == 0, first.output
    assert "1 new shard: mine-0000" in words(first)
    assert "1 partition made" in words(first)
    assert Store(str(project / ".rolesynth")).count("images", {"shard": "mine-0000"}) == 3
    second = invoke("ingest", str(folder), "--name", "mine")
    assert second.exit_code == 0
    assert "0 new shards: nothing new" in words(second)
    assert "everything was up to date, no model was called" in words(second)


def test_ingest_reads_a_bucket_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets_tests.defs.small_graph import noise_picture
    from rolesynth_assets_tests.loopback_s3 import loopback_s3

    with loopback_s3() as s3:
        s3.set_environment(monkeypatch)
        url = s3.fill("pictures", {f"my photos/{i}.png": noise_picture(i) for i in range(3)})
        first = invoke("ingest", f"{url}/my photos")
        assert first.exit_code == 0, first.output
        assert "1 new shard: my-photos-0000" in words(first)
        stored = Store(str(project / ".rolesynth")).read("images", columns=["source"])
        assert f"{url}/my photos/0.png" in stored["source"].to_pylist()
        absent = invoke("ingest", "s3://no-such-bucket/x")
        assert absent.exit_code == 2
        assert "There is no bucket 'no-such-bucket'" in words(absent)


def test_failed_check_ends_with_its_reason_and_an_exit_code(project: Path) -> None:
    folder = project / "photos"
    folder.mkdir()
    (folder / "zero.png").write_bytes(b"")
    result = invoke("ingest", str(folder))
    assert result.exit_code == 1
    assert "image_shards[photos-0000]: blocking check shard_not_empty failed" in words(result)


def test_a_recipe_needs_its_role_set_and_one_of_its_seeds(project: Path) -> None:
    other = invoke("run", "--role-set", "generic1", "--recipe", "roles5")
    assert other.exit_code == 2
    assert "recipe roles5 trains on role set roles5: add --role-set roles5" in words(other)
    for command in (
        ("run", "--role-set", "roles5", "--recipe", "roles5", "--seed", "9"),
        ("demo", "--seed", "9"),
    ):
        strange = invoke(*command)
        assert strange.exit_code == 2
        assert "recipe roles5 has the seeds 0, 1, 2, 3, 4, not 9" in words(strange)


def test_a_page_that_cannot_be_written_is_told(project: Path) -> None:
    from rolesynth_assets_tests.defs.small_graph import write_pictures

    folder = write_pictures(project / "photos", range(1))
    assert invoke("ingest", str(folder)).exit_code == 0
    picture = str(next(folder.iterdir()))
    result = invoke("trace", picture, "--html", str(project / "none" / "page.html"))
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in words(result)


def test_a_second_run_pays_for_nothing_while_one_is_at_work(project: Path) -> None:
    from rolesynth_assets.lineage.refresh.one_at_a_time import alone
    from rolesynth_assets.settings import Settings
    from rolesynth_assets_tests.defs.small_graph import write_pictures

    assert invoke("ingest", str(write_pictures(project / "photos", range(1)))).exit_code == 0
    with alone(Settings.load().data_root):
        busy = invoke("run", "--role-set", "generic1")
        reading = invoke("ingest", str(write_pictures(project / "more", range(1, 2))))
    assert busy.exit_code == 1
    assert "is bringing this data root up to date" in words(busy)
    assert reading.exit_code == 0, reading.output


def test_a_command_puts_the_tables_in_order_where_that_is_due(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    import dagster as dg

    from rolesynth_assets.store.lance.maintenance import state, versions
    from rolesynth_assets_tests.defs.small_graph import write_pictures

    def upkeeps() -> int:
        with dg.DagsterInstance.get() as instance:
            found = instance.fetch_materializations(dg.AssetKey("table_maintenance"), limit=9)
            return len(found.records)

    assert invoke("ingest", str(write_pictures(project / "photos", range(2)))).exit_code == 0
    assert upkeeps() == 0
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))
    monkeypatch.setattr(state, "SPARE_VERSIONS", 0)
    result = invoke("ingest", str(write_pictures(project / "more", range(2, 4))))
    assert result.exit_code == 0, result.output
    assert upkeeps() == 1


def test_a_busy_port_is_told_before_the_ui_starts(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = invoke("ui", "--port", str(port))
    assert result.exit_code == 1
    assert f"port {port} cannot be used: Address already in use" in words(result)
    assert "`rolesynth ui --port NUMBER`" in words(result)
    assert not (project / ".dagster").exists()


def test_help_imports_nothing_heavy() -> None:
    """Each of these takes a tenth of a second or more, of the three that `--help` may take."""
    heavy = {"dagster", "pydantic", "yaml", "filelock", "rich.progress", "pyarrow", "polars"}
    code = (
        "import sys, rolesynth_assets.cli.app\n"
        f"assert not {heavy!r} & set(sys.modules), {heavy!r} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
