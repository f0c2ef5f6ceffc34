import errno
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rolesynth_assets import disk_trouble as module
from rolesynth_assets.cli.exit_messages import CommandGroup
from rolesynth_assets.disk_trouble import disk_trouble, disk_trouble_in


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two places of which the second has trouble."""
    found = {"the data root": tmp_path / "data", "the Dagster home": tmp_path / "home"}
    monkeypatch.setattr(module, "_has_trouble", lambda full, place: place.name == "home")
    return found


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("an asset failed")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (OSError("LanceError(IO): failed: No space left on device (os error 28)"), "is full"),
        (sqlite3.OperationalError("database or disk is full"), "is full"),
        (RuntimeError("IO Error: Could not write file: No space left on device"), "is full"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written"),
        (sqlite3.OperationalError("unable to open database file"), "cannot be written"),
        (PermissionError(errno.EACCES, "Permission denied"), "cannot be written"),
    ],
)
def test_the_place_and_the_way_out_are_named(places, error: Exception, said: str) -> None:
    for raised in (error, wrapped(error)):
        told = disk_trouble(raised, places) or ""
        assert said in told and str(places["the Dagster home"]) in told
        assert "set DAGSTER_HOME" in told and "the same command goes on" in told
        assert "\n" not in told
    assert disk_trouble_in(str(error), places)


def test_a_file_that_the_error_names_tells_the_place(places) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(places["the data root"] / "x"))
    assert "set ROLESYNTH_DATA" in (disk_trouble(error, places) or "")


def test_other_errors_are_left_alone(places, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_trouble(ValueError("a caption of a full disk"), places) is None
    assert disk_trouble(OSError(errno.ENOENT, "No such file"), places) is None
    monkeypatch.setattr(module, "_has_trouble", lambda full, place: False)
    unreadable = PermissionError(errno.EACCES, "Permission denied", "/somebody/elses/photo.png")
    assert disk_trouble(unreadable, places) is None
    assert disk_trouble(RuntimeError("server: permission denied for model x"), places) is None


def test_a_command_ends_with_the_message_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer(cls=CommandGroup)
    target = tmp_path / "data" / "captions"
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "data"))

    @app.command()
    def write() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    @app.command()
    def wrapped_write() -> None:
        try:
            write()
        except OSError as error:
            raise typer.BadParameter(str(error)) from error

    @app.command()
    def broken() -> None:
        raise KeyError("a fault of the program")

    for command in ("write", "wrapped-write"):
        done = CliRunner().invoke(app, [command])
        assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
        assert "The disk of the data root is full" in done.output
    assert isinstance(CliRunner().invoke(app, ["broken"]).exception, KeyError)
