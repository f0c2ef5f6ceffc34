import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.lineage.stored_world import StoredWorld


def query(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", *arguments])


def test_lance_and_small_tables_are_joined(world: StoredWorld) -> None:
    sql = (
        "SELECT p.length, count(*) AS n, any_value(c.cutoff) AS cutoff FROM pairs p "
        "JOIN small.cutoffs c USING (role_set, length) WHERE p.kept "
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
        "DELETE FROM small.cutoffs",
        "INSERT INTO pairs SELECT * FROM pairs",
        "CREATE TABLE t AS SELECT 1",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT 1; DROP TABLE small.cutoffs",
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
    before = world.small.read("cutoffs").rows(), world.store.count("pairs")
    result = query(sql)
    assert result.exit_code == 2
    assert "root:" not in result.output
    assert (world.small.read("cutoffs").rows(), world.store.count("pairs")) == before
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


def test_a_query_keeps_nobody_from_writing(
    world: StoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, written = world.small.read("cutoffs"), []
    small = SmallTables(world.small.root, patience_s=0.1)

    def write_meanwhile(value: Any) -> str:
        small.replace("cutoffs", {}, rows.clear())
        written.append(value)
        return json.dumps(value)

    monkeypatch.setattr("rolesynth_assets.cli.data.query.printable_json", write_meanwhile)
    result = query("SELECT length FROM small.cutoffs", "--json")
    assert result.exit_code == 0, result.output
    assert len(written) == rows.height > 0


def test_a_small_table_that_cannot_be_read_is_an_error_in_words(world: StoredWorld) -> None:
    for manifest in (world.root / "small" / "cutoffs.lance" / "_versions").iterdir():
        manifest.write_bytes(b"no manifest" * 1000)
    result = query("SELECT 1")
    assert (result.exit_code, "cannot be read" in result.output) == (2, True)


def test_rows_are_printed_as_they_come(world: StoredWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def leave_early(value: Any) -> str:
        seen.append(value["n"])
        if len(seen) == 1500:
            raise typer.Exit(7)
        return ""

    monkeypatch.setattr("rolesynth_assets.cli.data.query.printable_json", leave_early)
    # all rows of it would not fit into any memory
    assert query("SELECT range AS n FROM range(1000000000000)", "--json").exit_code == 7
    assert seen == list(range(1500))
    pages = query("SELECT range AS n FROM range(2100)", "--limit", "0").output.split()
    assert [word for word in pages if word != "n"] == [str(n) for n in range(2100)]
    assert pages.count("n") == 3


def test_json_is_json_whatever_a_cell_holds(world: StoredWorld) -> None:
    sql = (
        "SELECT 'nan'::DOUBLE AS a, ['-inf'::DOUBLE, 1.5] AS b, {'x': 'nan'::FLOAT} AS c, "
        "MAP {1: 'nan'::DOUBLE} AS d, chr(155) || '2J' || chr(8238) || 'é\n' AS e, "
        "[encode('ab')] AS f, DATE '2020-01-02' AS g, NULL AS h, true AS i"
    )
    result = query(sql, "--json")
    assert result.exit_code == 0, result.output
    (line,) = result.output.splitlines()
    assert line.isprintable()
    assert "é" in line

    def no(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(line, parse_constant=no) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"x": None},
        "d": {"1": None},
        "e": "\x9b2J\u202eé\n",
        "f": ["<2 bytes>"],
        "g": "2020-01-02",
        "h": None,
        "i": True,
    }
