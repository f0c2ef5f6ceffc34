"""A disk that is full or read-only, under each library that writes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import lancedb
import pyarrow as pa

from rolesynth_assets.disk_trouble import disk_trouble
from rolesynth_assets_tests.drills.outcome import Outcome, Size

MIB = 2**20


class NoMountError(RuntimeError):
    """This user may mount nothing, so there is no small disk to fill."""


@dataclass(frozen=True)
class _Layer:
    """One library: `write` adds a row number to what is in a folder, `read` counts them."""

    name: str
    write: Callable[[Path, int], None]
    read: Callable[[Path], int]


def _write_file(folder: Path, number: int) -> None:
    with (folder / f"{number}.bin").open("wb") as file:
        file.write(os.urandom(MIB))


def _write_sqlite(folder: Path, number: int) -> None:
    connection = sqlite3.connect(folder / "runs.db")
    try:
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, data BLOB)")
            connection.execute("INSERT INTO t VALUES (?, ?)", (number, os.urandom(MIB)))
    finally:
        connection.close()


def _read_sqlite(folder: Path) -> int:
    with sqlite3.connect(folder / "runs.db") as connection:
        return connection.execute("SELECT count(*) FROM t").fetchone()[0]


def _write_duckdb(folder: Path, number: int) -> None:
    with duckdb.connect(folder / "warehouse.duckdb") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, data BLOB)")
        connection.execute("INSERT INTO t VALUES (?, ?)", [number, os.urandom(MIB)])


def _read_duckdb(folder: Path) -> int:
    with duckdb.connect(folder / "warehouse.duckdb") as connection:
        found = connection.execute("SELECT count(*) FROM t").fetchone()
        return found[0] if found else 0


def _write_lance(folder: Path, number: int) -> None:
    rows = pa.table({"n": [number], "data": [os.urandom(MIB)]})
    tables = lancedb.connect(folder)
    if "t" in tables.table_names():
        tables.open_table("t").add(rows)
    else:
        tables.create_table("t", rows)


LAYERS = (
    _Layer("files", _write_file, lambda folder: len(list(folder.glob("*.bin")))),
    _Layer("SQLite", _write_sqlite, _read_sqlite),
    _Layer("DuckDB", _write_duckdb, _read_duckdb),
    _Layer("Lance", _write_lance, lambda f: lancedb.connect(f).open_table("t").count_rows()),
)


def run(size: Size) -> list[Outcome]:
    """Fill a small disk under each library, and make one read-only.

    Raises:
        NoMountError: this user may not mount a disk in memory.
    """
    sizes = (6,) if size == "small" else (6, 16, 48)
    outcomes = []
    for layer in LAYERS:
        full = [_fill(layer, mib) for mib in sizes]
        read_only = [_make_read_only(layer, mib) for mib in sizes]
        told = "one message names the place; what was written stays, and the same goes on after"
        outcomes.append(Outcome(f"full disk under {layer.name}", len(full), sum(full), told))
        outcomes.append(
            Outcome(f"read-only disk under {layer.name}", len(read_only), sum(read_only), told)
        )
    return outcomes


def _fill(layer: _Layer, mib: int) -> bool:
    with _disk(mib) as folder:
        written, told = 0, None
        while told is None and written < 4 * mib:
            try:
                layer.write(folder, written)
                written += 1
            except Exception as error:
                told = disk_trouble(error, {"the data root": folder}) or "not known"
        named = "is full" in (told or "") and str(folder) in (told or "")
        for rest in folder.glob("*.bin") if layer.name == "files" else ():
            if rest.stat().st_size < MIB:
                rest.unlink()  # a file that was cut off is the writer's to replace
        _remount(folder, f"size={2 * mib + 16}m")
        layer.write(folder, written)
        return named and layer.read(folder) == written + 1


def _make_read_only(layer: _Layer, mib: int) -> bool:
    with _disk(mib) as folder:
        layer.write(folder, 0)
        _remount(folder, "ro")
        told = ""
        try:
            layer.write(folder, 1)
        except Exception as error:
            told = disk_trouble(error, {"the data root": folder}) or "not known"
        _remount(folder, "rw")
        layer.write(folder, 1)
        return "cannot be written" in told and str(folder) in told and layer.read(folder) == 2


@contextmanager
def _disk(mib: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent).resolve() / "disk"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
        try:
            mounted = subprocess.run(mount, capture_output=True).returncode == 0
        except FileNotFoundError:
            mounted = False
        if not mounted:
            raise NoMountError("no disk in memory can be mounted; run as root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)
