"""The Dagster home folder, created by one process while others wait."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.data_paths import dagster_home
from rolesynth_assets.files.atomic_files import write_text

if TYPE_CHECKING:
    import dagster as dg

LOCK_TIMEOUT_S = 300.0
INSTANCE = "dagster.yaml"


def prepare_home() -> Path:
    """Create the home that DAGSTER_HOME names, by default `.dagster` here, with its tables.

    The first process that opens an instance creates its tables. If two processes did that at once,
    both would write a schema version, and no process could open the instance again; here the second
    one waits.

    A home without a dagster.yaml gets the one of the current folder, or else the shipped one with
    its limits and its monitoring of runs. An existing file is the user's and is not changed.

    Runs whose process was killed are ended here, so that they hold up nothing.

    Returns:
        The absolute path of the home, to which DAGSTER_HOME is set.

    Raises:
        OtherDataRootError: the home records what was made in another data root.
    """
    with prepared_instance():
        return Path(os.environ["DAGSTER_HOME"])


@contextmanager
def existing_instance() -> Iterator[dg.DagsterInstance]:
    """Do what `prepared_instance` does, for a home that is there already.

    Raises:
        typer.BadParameter: there is none, so nothing was made yet.
        OtherDataRootError: the home records what was made in another data root.
    """
    home = dagster_home()
    if not home.is_dir():
        raise typer.BadParameter(
            f"nothing was made yet: {home} does not exist; "
            "start with `rolesynth demo` or `rolesynth ingest PATH`"
        )
    with prepared_instance() as instance:
        yield instance


@contextmanager
def prepared_instance() -> Iterator[dg.DagsterInstance]:
    """Do what `prepare_home` does, and leave the instance open; opening one takes half a second.

    Raises:
        OtherDataRootError: the home records what was made in another data root.
    """
    from filelock import FileLock

    home = dagster_home().resolve()
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        with FileLock(home / ".prepare.lock", timeout=LOCK_TIMEOUT_S):
            _give_settings(home)
            import dagster as dg

            from rolesynth_assets.lineage.data_root_id import check_data_root
            from rolesynth_assets.lineage.run_process.dead_runs import end_dead_runs
            from rolesynth_assets.settings import Settings

            instance = opened.enter_context(dg.DagsterInstance.get())
            check_data_root(instance, Settings.load().data_root)
            for run in end_dead_runs(instance):
                print(run, file=sys.stderr)
        yield instance


def _give_settings(home: Path) -> None:
    here, theirs = Path(INSTANCE), home / INSTANCE
    if not theirs.exists():
        shipped = resources.files("rolesynth_assets") / INSTANCE
        write_text(theirs, here.read_text() if here.is_file() else shipped.read_text())
    elif here.is_file() and here.resolve() != theirs.resolve() and not _same(here, theirs):
        print(
            f"{theirs} is used, and {here.resolve()} differs from it. To use the latter, copy it "
            "over the former.",
            file=sys.stderr,
        )


def _same(one: Path, other: Path) -> bool:
    """Return whether two YAML files have the same content, apart from comments."""
    import yaml

    try:
        return yaml.safe_load(one.read_text()) == yaml.safe_load(other.read_text())
    except yaml.YAMLError:  # Dagster reports the fault when it reads the file
        return False
