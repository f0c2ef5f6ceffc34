from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from rolesynth_assets.cli.app import app
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.lineage.staleness.stored_tables import Stored, StoredTables
from rolesynth_assets.settings import Settings, SettingsError
from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.small import from_duckdb
from rolesynth_assets.store.small.from_duckdb import Moved, move_out_of_duckdb, rows_digest
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.table_identity import SMALL, identity

OLD = """
CREATE TABLE cutoffs (
    role_set VARCHAR NOT NULL, length VARCHAR NOT NULL, keep_share DOUBLE NOT NULL,
    floor_per_image INTEGER, cutoff INTEGER, candidates BIGINT NOT NULL, kept BIGINT NOT NULL,
    scores_digest VARCHAR NOT NULL
);
INSERT INTO cutoffs VALUES
    ('roles5', 'long', 0.8, 1, 37, 100, 80, 'd'), ('roles5', 'short', 1e-17, NULL, NULL, 9, 0, 'e'),
    ('it''s "é"', 'long', 'nan'::DOUBLE, NULL, -3, 9007199254740993, 0, '');
CREATE TABLE tombstones (
    image_id VARCHAR NOT NULL, reason VARCHAR NOT NULL, withdrawn_at VARCHAR NOT NULL,
    shards VARCHAR NOT NULL, sources VARCHAR NOT NULL
);
INSERT INTO tombstones VALUES ('a', E'two\\nlines', '2026', 's0 s1', 'x');
CREATE TABLE diversity (
    role_set VARCHAR NOT NULL, shard VARCHAR NOT NULL, distinct_1 DOUBLE NOT NULL,
    distinct_2 DOUBLE NOT NULL, self_bleu DOUBLE NOT NULL, mean_pairwise_similarity DOUBLE NOT NULL,
    vendi_score DOUBLE NOT NULL, n_images BIGINT NOT NULL, n_groups BIGINT NOT NULL,
    n_captions BIGINT NOT NULL, draw_seed BIGINT NOT NULL, texts_digest VARCHAR NOT NULL
);
CREATE TABLE r1_items (data_digest VARCHAR NOT NULL, item_id VARCHAR NOT NULL);
INSERT INTO r1_items SELECT 'd' || (n % 7)::VARCHAR, 'item ' || n::VARCHAR FROM range(20000) t(n);
INSERT INTO r1_items VALUES ('twice', 'the same'), ('twice', 'the same');
CREATE TABLE of_somebody (x INTEGER);
"""
TABLES = ["cutoffs", "diversity", "r1_items", "tombstones"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(OLD)
    ids = tmp_path / "table-ids"
    ids.mkdir()
    (ids / "warehouse").write_text("the old id")
    return tmp_path


def content(path: Path) -> dict[str, str]:
    """Digest the rows of a DuckDB file by their values as text."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            table: rows_digest(connection.sql(f"SELECT * FROM {table}").pl()) for table in TABLES
        }


def test_every_row_is_taken_over_once(root: Path) -> None:
    before = content(root / "warehouse.duckdb")
    moved: list[Moved] = []
    left = move_out_of_duckdb(root, moved.append)
    assert left == root / "warehouse.duckdb.migrated"
    assert not (root / "warehouse.duckdb").exists()
    assert left is not None and content(left) == before
    assert [(m.table, m.rows) for m in moved] == [
        ("cutoffs", 3),
        ("diversity", 0),
        ("r1_items", 20_002),
        ("tombstones", 1),
    ]
    small = SmallTables(root)
    cuts = small.read("cutoffs").sort("candidates")
    assert cuts["candidates"].to_list() == [9, 100, 9007199254740993]
    assert cuts["centred"].to_list() == [None] * 3  # a column that the file did not have
    with duckdb.connect(str(left), read_only=True) as connection:
        for table in TABLES:
            names = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            assert rows_digest(small.read(table).select(names)) == before[table]
    assert move_out_of_duckdb(root, moved.append) is None
    assert len(moved) == 4


def test_dagster_knows_the_tables_by_their_old_id(root: Path) -> None:
    recorded = Stored("warehouse.cutoffs", 0, "the old id")
    move_out_of_duckdb(root, lambda _: None)
    assert identity(root, SMALL) == "the old id"
    assert not (root / "table-ids" / "warehouse").exists()
    assert StoredTables(root).lost(recorded) == ""
    assert "deleted and made anew" in StoredTables(root).lost(recorded._replace(table_id="other"))
    assert "was deleted" in StoredTables(root).lost(Stored("warehouse.trainings"))


@pytest.mark.parametrize("at", ["replace", "identity", "rename"])
def test_one_that_was_killed_begins_again(
    root: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = content(root / "warehouse.duckdb")
    with monkeypatch.context() as patched:
        if at == "replace":
            patched.setattr(from_duckdb, "rows_digest", killed)
        else:
            patched.setattr(
                *{
                    "identity": (from_duckdb, "write_text"),
                    "rename": (from_duckdb.os, "replace"),
                }[at],
                killed,
            )
        with pytest.raises(KeyboardInterrupt):
            move_out_of_duckdb(root, lambda _: None)
    assert content(root / "warehouse.duckdb") == before
    move_out_of_duckdb(root, lambda _: None)
    assert identity(root, SMALL) == "the old id"
    assert SmallTables(root).read("r1_items").height == 20_002


def test_other_rows_leave_the_file_where_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = SmallTables.replace
    monkeypatch.setattr(SmallTables, "replace", lambda s, t, w, rows: replace(s, t, w, rows[1:]))
    with pytest.raises(StoreError, match="'cutoffs' has other rows than the file"):
        move_out_of_duckdb(root, lambda _: None)
    assert (root / "warehouse.duckdb").exists()


def test_a_file_written_after_the_migration_replaces_nothing(root: Path) -> None:
    move_out_of_duckdb(root, lambda _: None)
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE r1_items (data_digest VARCHAR, item_id VARCHAR)")
    with pytest.raises(StoreError, match="was taken over before"):
        move_out_of_duckdb(root, lambda _: None)
    assert SmallTables(root).read("r1_items").height == 20_002


def test_a_file_that_is_no_database_is_named(root: Path) -> None:
    (root / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"warehouse\.duckdb cannot be read"):
        move_out_of_duckdb(root, lambda _: None)
    assert not (root / "small").exists()


def test_commands_stop_until_the_root_is_migrated(root: Path) -> None:
    with pytest.raises(SettingsError, match="run `rolesynth migrate` once"):
        Settings.load()
    stopped = CliRunner().invoke(app, ["query", "SELECT 1"])
    assert stopped.exit_code != 0
    assert not DataPaths(root).lance.exists()
    done = CliRunner().invoke(app, ["migrate"])
    assert done.exit_code == 0, done.output
    assert "r1_items                20,002 rows, digest" in done.output
    assert "warehouse.duckdb.migrated is not read any more" in done.output.replace("\n", " ")
    answer = CliRunner().invoke(app, ["query", "SELECT count(*) n FROM small.r1_items", "--json"])
    assert answer.output.strip() == '{"n": 20002}'
    assert "nothing to do" in CliRunner().invoke(app, ["migrate"]).output
