import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets_tests.lineage.stored_world import StoredWorld


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredWorld:
    for name in [name for name in os.environ if name.startswith("ROLESYNTH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path))
    made = StoredWorld(tmp_path)
    made.add_shard("s0", range(3))
    made.caption()
    return made


def query(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", *arguments])


def test_lance_and_warehouse_tables_are_joined(world: StoredWorld) -> None:
    sql = (
        "SELECT p.length, count(*) AS n, any_value(c.cutoff) AS cutoff FROM pairs p "
        "JOIN warehouse.cutoffs c USING (role_set, length) WHERE p.kept "
        "GROUP BY p.length ORDER BY 1"
    )
    result = query(sql, "--json")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.output.splitlines()]
    for row in rows:
        where = f"kept AND length = '{row['length']}'"
        assert row["n"] == world.store.count("pairs", where=where)
    assert [row["length"] for row in rows] == ["long", "short"]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM warehouse.cutoffs",
        "INSERT INTO pairs SELECT * FROM pairs",
        "CREATE TABLE t AS SELECT 1",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT 1; DROP TABLE warehouse.cutoffs",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH 'other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT nothing FROM pairs",
        "not sql",
    ],
)
def test_nothing_is_written_and_no_file_is_read(
    world: StoredWorld, sql: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    before = world.warehouse.read("cutoffs").rows(), world.store.count("pairs")
    result = query(sql)
    assert result.exit_code == 2
    assert "root:" not in result.output
    assert (world.warehouse.read("cutoffs").rows(), world.store.count("pairs")) == before
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "other.db").exists()


def test_a_long_answer_is_cut_and_says_so(world: StoredWorld) -> None:
    assert "the first 2 rows" in query("SELECT caption_id FROM captions", "--limit", "2").output
    assert "first" not in query("SELECT 1 AS one", "--limit", "2").output


def test_tables_that_were_never_written_are_empty(world: StoredWorld) -> None:
    (line,) = query("SELECT count(*) AS n FROM candidates", "--json").output.splitlines()
    assert json.loads(line) == {"n": 0}
    assert "human_labels (0 rows)" in query("--tables").output


def test_bytes_are_counted_not_printed(world: StoredWorld) -> None:
    assert "bytes>" in query("SELECT data FROM images LIMIT 1").output
