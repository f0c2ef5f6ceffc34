from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import lance
import polars as pl
import pyarrow as pa
import pytest

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.errors import SchemaMismatchError, StoreError
from rolesynth_assets.store.lance.maintenance import state, versions
from rolesynth_assets.store.small.schemas import SMALL_TABLES
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.small.upkeep import maintain_small_table, small_table_state


@pytest.fixture
def small(tmp_path: Path) -> SmallTables:
    return SmallTables(tmp_path / "data")


def roles(role_set: str, *kept: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "kept": kept,
            "role_set": [role_set] * len(kept),
            "role": [f"role {n}" for n in range(len(kept))],
            "length": ["long"] * len(kept),
            "candidates": [100] * len(kept),
        },
        schema_overrides={"role_set": pl.String, "kept": pl.Int64},
    )


def test_replace_touches_only_its_rows(small: SmallTables) -> None:
    small.replace("cutoff_roles", {"role_set": "roles5"}, roles("roles5", 1, 2, 3))
    small.replace("cutoff_roles", {"role_set": "it's"}, roles("it's", 9))
    small.replace("cutoff_roles", {"role_set": "roles5"}, roles("roles5", 7))
    read = small.read("cutoff_roles")
    assert read.columns == ["role_set", "role", "length", "candidates", "kept"]
    assert sorted(read.select("role_set", "kept").rows()) == [("it's", 9), ("roles5", 7)]
    assert small.read("cutoff_roles", {"role_set": "it's", "kept": 9}).height == 1
    small.replace("cutoff_roles", {"role_set": "it's"}, roles("it's"))
    assert small.read("cutoff_roles", {"role_set": "it's"}).height == 0
    small.replace("cutoff_roles", {}, roles("other", 5, 6))
    assert small.read("cutoff_roles")["role_set"].to_list() == ["other", "other"]


def test_a_table_never_written_to_is_empty_with_its_columns(small: SmallTables) -> None:
    for before in (True, False):
        for name, table in SMALL_TABLES.items():
            frame = small.read(name)
            assert (frame.height == 0) or name == "cutoff_roles"
            assert tuple(frame.columns) == table.names
        assert small.read("benchmark_scores")["value"].dtype == pl.Float64
        assert Path(small.root).exists() is not before  # reading creates nothing
        small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))


def test_optional_columns_and_null_conditions(small: SmallTables) -> None:
    row = {"role_set": "a", "length": "long", "keep_share": 0.2, "candidates": 4, "kept": 0}
    small.replace("cutoffs", {"role_set": "a"}, pl.DataFrame({**row, "scores_digest": "d"}))
    assert small.read("cutoffs", {"cutoff": None})["keep_share"].to_list() == [0.2]
    assert small.read("cutoffs", {"cutoff": 3}).height == 0


def test_values_are_never_sql(small: SmallTables) -> None:
    evil = "x' OR 1=1; DROP TABLE cutoff_roles; --"
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    small.replace("cutoff_roles", {"role_set": evil}, roles(evil, 2))
    assert small.read("cutoff_roles", {"role_set": evil})["kept"].to_list() == [2]
    assert small.read("cutoff_roles").height == 2
    with pytest.raises(SchemaMismatchError, match="no column"):
        small.read("cutoff_roles", {"1=1 --": 3})
    with pytest.raises(StoreError, match="No small table 'x'"):
        small.read("x")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (roles("a", 1).drop("role"), "'cutoff_roles', column 'role': missing"),
        (roles("a", 1).with_columns(x=1), "'cutoff_roles' has no column x"),
        (
            roles("a", 1).with_columns(kept=pl.lit(None, pl.Int64)),
            "'cutoff_roles', column 'kept': 1 rows are null",
        ),
        (
            roles("a", 1).with_columns(kept=pl.lit("many")),
            "'cutoff_roles', column 'kept': is int64 in the table but .*string",
        ),
    ],
)
def test_a_mismatch_names_table_and_column_and_changes_nothing(
    small: SmallTables, rows: pl.DataFrame, message: str
) -> None:
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1, 2))
    with pytest.raises(SchemaMismatchError, match=message):
        small.replace("cutoff_roles", {"role_set": "a"}, rows)
    assert small.read("cutoff_roles")["kept"].sort().to_list() == [1, 2]


def test_rows_outside_the_condition_are_refused(small: SmallTables) -> None:
    with pytest.raises(StoreError, match=r"'role_set': rows belong to 'b', but .*'a'"):
        small.replace("cutoff_roles", {"role_set": "a"}, roles("b", 1))


WRITER = """
import random, sys, time
import polars as pl
from rolesynth_assets.store.small.tables import SmallTables

small, me = SmallTables(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
input()

def rows(role_set, kept):
    return pl.DataFrame(
        {
            "role_set": [role_set] * 3,
            "role": ["a", "b", "c"],
            "length": ["long"] * 3,
            "candidates": [me] * 3,
            "kept": [kept] * 3,
        }
    )

for n in range(6):
    for where in (f"own {me}", f"own {me}, {n}", "shared"):
        small.replace("cutoff_roles", {"role_set": where}, rows(where, n))
    assert small.read("cutoff_roles", {"role_set": f"own {me}"})["kept"].to_list() == [n] * 3
"""


def test_eight_processes_write_and_lose_or_double_nothing(
    small: SmallTables, tmp_path: Path
) -> None:
    script = tmp_path / "write.py"
    script.write_text(WRITER)
    command = [sys.executable, str(script), small.root]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, str(n)], **pipes) for n in range(8)]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.wait(timeout=240) for writer in writers] == [0] * 8
    for writer in writers:
        for pipe in (writer.stdin, writer.stdout):
            assert pipe is not None
            pipe.close()
    read = small.read("cutoff_roles").sort("role_set", "role")
    expected = {f"own {n}": 5 for n in range(8)}
    expected |= {f"own {n}, {k}": k for n in range(8) for k in range(6)}
    groups = read.group_by("role_set").agg("role", "kept", "candidates")
    found = {row["role_set"]: row for row in groups.iter_rows(named=True)}
    assert set(found) == {*expected, "shared"}
    for name, row in found.items():  # also of the shared one, which one writer wrote whole
        assert row["role"] == ["a", "b", "c"]
        assert row["kept"] == [expected.get(name, row["kept"][0])] * 3
        assert len(set(row["candidates"])) == 1


def test_a_writer_that_is_always_overtaken_gives_up_in_words(
    small: SmallTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    hasty, opened = SmallTables(small.root, patience_s=0.1), SmallTables.dataset
    numbers = iter(range(1000))

    def overtaken(self: SmallTables, table: str) -> object:
        seen = opened(self, table)
        if self is hasty:
            small.replace("cutoff_roles", {"role_set": "b"}, roles("b", next(numbers)))
        return seen

    monkeypatch.setattr(SmallTables, "dataset", overtaken)
    with pytest.raises(StoreError, match="others have committed first"):
        hasty.replace("cutoff_roles", {"role_set": "a"}, roles("a", 2))
    monkeypatch.undo()
    assert small.read("cutoff_roles", {"role_set": "a"})["kept"].to_list() == [1]


def test_two_who_create_a_table_at_once_both_write(
    small: SmallTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, tries = SmallTables.dataset, []

    def not_yet(self: SmallTables, table: str) -> object:
        tries.append(table)
        if len(tries) > 1:
            return opened(self, table)
        SmallTables(self.root).replace("cutoff_roles", {"role_set": "b"}, roles("b", 2))
        return None

    monkeypatch.setattr(SmallTables, "dataset", not_yet)
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    assert sorted(small.read("cutoff_roles")["role_set"]) == ["a", "b"]


def test_rows_that_are_there_already_make_no_version(small: SmallTables) -> None:
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1, 2))
    written = small.written_ns("cutoff_roles")
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1, 2)[::-1])
    small.replace("cutoff_roles", {"role_set": "b"}, roles("b"))
    dataset = small.dataset("cutoff_roles")
    assert dataset is not None
    assert (dataset.version, small.written_ns("cutoff_roles")) == (1, written)
    assert small.written_ns("cutoffs") == 0


def test_no_rows_make_an_empty_table(small: SmallTables) -> None:
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a"))
    assert small.dataset("cutoff_roles") is not None
    assert small.read("cutoff_roles").height == 0
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    small.replace("cutoff_roles", {"role_set": "a"}, roles("a"))
    assert small.read("cutoff_roles").height == 0


def test_a_table_of_an_earlier_version_gets_the_columns_that_came_later(
    small: SmallTables,
) -> None:
    row = {"role_set": "a", "length": "long", "keep_share": 0.2, "candidates": 4, "kept": 1}
    rows = pl.DataFrame({**row, "scores_digest": "d"})
    schema = pa.schema([f for f in SMALL_TABLES["cutoffs"].schema if f.name in rows.columns])
    place = DataPaths(small.root).small_table("cutoffs")
    lance.write_dataset(rows.select(schema.names).to_arrow().cast(schema), place)
    read = small.read("cutoffs")
    assert tuple(read.columns) == SMALL_TABLES["cutoffs"].names
    assert (read["kept"].to_list(), read["centred"].to_list()) == ([1], [None])
    assert small.read_all(["cutoffs"])["cutoffs"].equals(read)
    small.replace("cutoffs", {"role_set": "b"}, rows.with_columns(role_set=pl.lit("b")))
    both = small.read("cutoffs").sort("role_set")
    assert both["role_set"].to_list() == ["a", "b"]
    newer = rows.with_columns(role_set=pl.lit("c"), centred=pl.lit(True))
    small.replace("cutoffs", {"role_set": "c"}, newer)
    assert small.read("cutoffs", {"role_set": "c"})["centred"].to_list() == [True]


def test_a_column_of_a_later_version_is_kept_and_not_shown(small: SmallTables) -> None:
    later = roles("a", 1).with_columns(later=pl.lit("kept"))
    lance.write_dataset(later.to_arrow(), DataPaths(small.root).small_table("cutoff_roles"))
    assert "later" not in small.read("cutoff_roles").columns
    small.replace("cutoff_roles", {"role_set": "b"}, roles("b", 2))
    dataset = small.dataset("cutoff_roles")
    assert dataset is not None
    assert sorted(dataset.to_table()["later"].to_pylist(), key=str) == [None, "kept"]


def test_useless_versions_go_when_there_are_many(
    small: SmallTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        small.replace("cutoff_roles", {"role_set": "a"}, roles("a", n))
    assert small_table_state(small, "cutoffs") is None
    found = maintain_small_table(small, "cutoff_roles")
    assert found is not None
    assert (found.rows, found.versions, found.files, found.due) == (1, 4, 1, [])
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))
    monkeypatch.setattr(state, "SPARE_VERSIONS", 2)
    found = maintain_small_table(small, "cutoff_roles")
    assert found is not None and found.due == ["remove versions"]
    left = small_table_state(small, "cutoff_roles")
    assert left is not None and (left.versions, left.due) == (1, [])
    assert left.disk_bytes < found.disk_bytes
    assert small.read("cutoff_roles")["kept"].to_list() == [3]
