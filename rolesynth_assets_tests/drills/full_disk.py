"""A disk that is full or read-only, under each library that writes.

A small disk in memory is mounted, as root or in a user namespace of its own. Where a system allows
neither, the libraries' own errors are raised in the place of the disk's, so the drill always runs.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import lancedb
import polars as pl
import pyarrow as pa

from rolesynth_assets.disk_trouble import disk_trouble
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.drills.outcome import Outcome, Size

MIB = 2**20
_NO_MOUNT = 77
"""Exit status in a namespace in which nothing can be mounted."""


class NoMountError(RuntimeError):
    """This user may mount nothing, so there is no small disk to fill."""


@dataclass(frozen=True)
class _Layer:
    """One library.

    Attributes:
        name: its name.
        write: adds a row with a number to what is in a folder.
        read: counts the rows.
        full: its error on a full disk, as it was seen.
        read_only: its error on a read-only disk.
    """

    name: str
    write: Callable[[Path, int], None]
    read: Callable[[Path], int]
    full: Exception
    read_only: Exception


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


def _write_small(folder: Path, number: int) -> None:
    # a version holds all rows, and the one that does not fit is gone when the disk is looked at
    ids = {"item_id": [os.urandom(32).hex() for _ in range(1024)]}
    rows = pl.DataFrame({"data_digest": str(number), **ids})
    SmallTables(folder).replace("r1_items", {"data_digest": str(number)}, rows)


def _read_small(folder: Path) -> int:
    return SmallTables(folder).read("r1_items")["data_digest"].n_unique()


def _write_lance(folder: Path, number: int) -> None:
    rows = pa.table({"n": [number], "data": [os.urandom(MIB)]})
    tables = lancedb.connect(folder)
    if "t" in tables.table_names():
        tables.open_table("t").add(rows)
    else:
        tables.create_table("t", rows)


LAYERS = (
    _Layer(
        "files",
        _write_file,
        lambda folder: len(list(folder.glob("*.bin"))),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
    ),
    _Layer(
        "SQLite",
        _write_sqlite,
        _read_sqlite,
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("attempt to write a readonly database"),
    ),
    _Layer(
        "the small tables",
        _write_small,
        _read_small,
        OSError("LanceError(IO): Generic LocalFileSystem error: No space left on device"),
        OSError("LanceError(IO): Unable to create file: Read-only file system (os error 30)"),
    ),
    _Layer(
        "Lance",
        _write_lance,
        lambda f: lancedb.connect(f).open_table("t").count_rows(),
        RuntimeError("lance error: LanceError(IO): No space left on device (os error 28)"),
        RuntimeError("lance error: LanceError(IO): Read-only file system (os error 30)"),
    ),
)
SIZES: dict[Size, tuple[int, ...]] = {"small": (6,), "long": (6, 16, 48)}
"""MiB of the small disks."""


_FULL, _READ_ONLY = "full disk under {}", "read-only disk under {}"
FAULTS = [fault.format(layer.name) for layer in LAYERS for fault in (_FULL, _READ_ONLY)]


def run(size: Size) -> list[Outcome]:
    """Fill a small disk under each library, and make one read-only, as this user may."""
    try:
        return on_disks(SIZES[size])
    except NoMountError as error:
        if (outcomes := in_a_namespace(size)) is not None:
            return outcomes
        print(f"full_disk: {error}; errors are raised in the place of the disk's", file=sys.stderr)
        return with_raised_errors()


def in_a_namespace(size: Size) -> list[Outcome] | None:
    """Run on disks that are mounted in a user namespace; None if there can be none."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*namespace, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    done = subprocess.run(
        [*namespace, sys.executable, "-m", __name__, size],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == _NO_MOUNT:
        return None
    done.check_returncode()
    return [Outcome(**outcome) for outcome in json.loads(done.stdout.splitlines()[-1])]


def with_raised_errors() -> list[Outcome]:
    """Raise each library's error between two of its writes."""
    outcomes = []
    for layer in LAYERS:
        usage = shutil.disk_usage("/")._replace(free=0)
        with mock.patch("shutil.disk_usage", return_value=usage):
            full = _goes_on(layer, layer.full, "is full")
        with mock.patch("os.access", return_value=False):
            read_only = _goes_on(layer, layer.read_only, "cannot be written")
        outcomes += _rows(layer, [full], [read_only], "; the error was raised in the disk's place")
    return outcomes


def _goes_on(layer: _Layer, error: Exception, what: str) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        layer.write(folder, 0)
        said = disk_trouble(error, {"the data root": folder}) or ""
        layer.write(folder, 1)
        return what in said and str(folder) in said and layer.read(folder) == 2


def on_disks(sizes: Sequence[int]) -> list[Outcome]:
    """Run on small disks in memory.

    Raises:
        NoMountError: this user may not mount one.
    """
    outcomes = []
    for layer in LAYERS:
        full = [_fill(layer, mib) for mib in sizes]
        read_only = [_make_read_only(layer, mib) for mib in sizes]
        outcomes += _rows(layer, full, read_only)
    return outcomes


def _rows(
    layer: _Layer, full: Sequence[bool], read_only: Sequence[bool], note: str = ""
) -> list[Outcome]:
    promise = "one message names the place; what was written stays, and the same goes on after"
    promise += note
    return [
        Outcome(_FULL.format(layer.name), len(full), sum(full), promise),
        Outcome(_READ_ONLY.format(layer.name), len(read_only), sum(read_only), promise),
    ]


def _fill(layer: _Layer, mib: int) -> bool:
    with _disk(mib) as folder:
        written, told = 0, None
        while told is None and written < 20 * mib:
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


if __name__ == "__main__":
    try:
        made = on_disks(SIZES["long" if sys.argv[1] == "long" else "small"])
    except NoMountError:
        sys.exit(_NO_MOUNT)
    print(json.dumps([asdict(outcome) for outcome in made]))
