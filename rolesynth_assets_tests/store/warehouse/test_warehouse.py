from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from rolesynth_assets.store.errors import SchemaMismatchError, StoreError
from rolesynth_assets.store.warehouse.tables import WAREHOUSE_TABLES
from rolesynth_assets.store.warehouse.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "data" / "warehouse.duckdb")


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


def test_replace_touches_only_its_rows(warehouse: Warehouse) -> None:
    warehouse.replace("cutoff_roles", {"role_set": "roles5"}, roles("roles5", 1, 2, 3))
    warehouse.replace("cutoff_roles", {"role_set": "it's"}, roles("it's", 9))
    warehouse.replace("cutoff_roles", {"role_set": "roles5"}, roles("roles5", 7))
    read = warehouse.read("cutoff_roles")
    assert read.columns == ["role_set", "role", "length", "candidates", "kept"]
    assert sorted(read.select("role_set", "kept").rows()) == [("it's", 9), ("roles5", 7)]
    assert warehouse.read("cutoff_roles", {"role_set": "it's", "kept": 9}).height == 1
    warehouse.replace("cutoff_roles", {"role_set": "it's"}, roles("it's"))
    assert warehouse.read("cutoff_roles", {"role_set": "it's"}).height == 0
    warehouse.replace("cutoff_roles", {}, roles("other", 5, 6))
    assert warehouse.read("cutoff_roles")["role_set"].to_list() == ["other", "other"]


def test_a_table_never_written_to_is_empty_with_its_columns(warehouse: Warehouse) -> None:
    for before in (True, False):
        for name, table in WAREHOUSE_TABLES.items():
            frame = warehouse.read(name)
            assert (frame.height == 0) or name == "cutoff_roles"
            assert tuple(frame.columns) == table.names
        assert warehouse.read("benchmark_scores")["value"].dtype == pl.Float64
        assert warehouse.path.exists() is not before  # reading creates nothing
        warehouse.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))


def test_optional_columns_and_null_conditions(warehouse: Warehouse) -> None:
    row = {"role_set": "a", "length": "long", "keep_share": 0.2, "candidates": 4, "kept": 0}
    warehouse.replace("cutoffs", {"role_set": "a"}, pl.DataFrame({**row, "scores_digest": "d"}))
    assert warehouse.read("cutoffs", {"cutoff": None})["keep_share"].to_list() == [0.2]
    assert warehouse.read("cutoffs", {"cutoff": 3}).height == 0


def test_values_are_never_sql(warehouse: Warehouse) -> None:
    evil = "x' OR 1=1; DROP TABLE cutoff_roles; --"
    warehouse.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    warehouse.replace("cutoff_roles", {"role_set": evil}, roles(evil, 2))
    assert warehouse.read("cutoff_roles", {"role_set": evil})["kept"].to_list() == [2]
    assert warehouse.read("cutoff_roles").height == 2
    with pytest.raises(SchemaMismatchError, match="no column"):
        warehouse.read("cutoff_roles", {"1=1 --": 3})
    with pytest.raises(StoreError, match="No table 'x'"):
        warehouse.read("x")


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
            "'cutoff_roles' takes .*kept BIGINT.*many",
        ),
    ],
)
def test_a_mismatch_names_table_and_column_and_changes_nothing(
    warehouse: Warehouse, rows: pl.DataFrame, message: str
) -> None:
    warehouse.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1, 2))
    with pytest.raises(SchemaMismatchError, match=message):
        warehouse.replace("cutoff_roles", {"role_set": "a"}, rows)
    assert warehouse.read("cutoff_roles")["kept"].sort().to_list() == [1, 2]


def test_rows_outside_the_condition_are_refused(warehouse: Warehouse) -> None:
    with pytest.raises(StoreError, match="role_set='b', but the write replaces role_set='a'"):
        warehouse.replace("cutoff_roles", {"role_set": "a"}, roles("b", 1))


def test_a_locked_file_is_waited_for_and_named(warehouse: Warehouse) -> None:
    warehouse.replace("cutoff_roles", {"role_set": "a"}, roles("a", 1))
    code = "import duckdb,sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "open\n"
        hasty = Warehouse(warehouse.path, patience_s=0.2)
        with pytest.raises(StoreError, match=r"warehouse\.duckdb has been open in another process"):
            hasty.read("cutoff_roles")
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert warehouse.read("cutoff_roles").height == 1  # as soon as the other is gone
    with duckdb.connect(str(warehouse.path)):  # in this process, open for writing
        with pytest.raises(StoreError, match="open in another process"):
            hasty.read("cutoff_roles")


def test_two_processes_write_and_lose_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    script = tmp_path / "write.py"
    script.write_text(
        "import sys, polars as pl\n"
        "from rolesynth_assets.store.warehouse.warehouse import Warehouse\n"
        "w = Warehouse(sys.argv[1])\n"
        "for n in range(12):\n"
        "    name = f'{sys.argv[2]}{n}'\n"
        "    row = dict(role_set=name, role='r', length='long', candidates=1, kept=n)\n"
        "    w.replace('cutoff_roles', {'role_set': name}, pl.DataFrame(row))\n"
        "    assert w.read('cutoff_roles', {'role_set': name})['kept'].to_list() == [n]\n"
    )
    writers = [
        subprocess.Popen([sys.executable, str(script), str(warehouse.path), name])
        for name in ("a", "b")
    ]
    assert [process.wait(timeout=120) for process in writers] == [0, 0]
    found = set(warehouse.read("cutoff_roles")["role_set"].to_list())
    assert found == {f"{name}{n}" for name in "ab" for n in range(12)}


def test_a_table_of_an_earlier_version_gets_the_columns_that_came_later(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    row = {"role_set": "a", "length": "long", "keep_share": 0.2, "candidates": 4, "kept": 1}
    rows = pl.DataFrame({**row, "scores_digest": "d"})
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.register("earlier", rows.to_arrow())
        connection.execute("CREATE TABLE cutoffs AS SELECT * FROM earlier")
    read = warehouse.read("cutoffs")
    assert tuple(read.columns) == WAREHOUSE_TABLES["cutoffs"].names
    assert (read["kept"].to_list(), read["centred"].to_list()) == ([1], [None])
    assert warehouse.read_all(["cutoffs"])["cutoffs"].equals(read)
    warehouse.replace("cutoffs", {"role_set": "b"}, rows.with_columns(role_set=pl.lit("b")))
    both = warehouse.read("cutoffs").sort("role_set")
    assert both["role_set"].to_list() == ["a", "b"]
    newer = rows.with_columns(role_set=pl.lit("c"), centred=pl.lit(True))
    warehouse.replace("cutoffs", {"role_set": "c"}, newer)
    assert warehouse.read("cutoffs", {"role_set": "c"})["centred"].to_list() == [True]
