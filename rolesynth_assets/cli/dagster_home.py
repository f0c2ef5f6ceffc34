"""The Dagster home: the folder with the instance's state, made once for all that come at once."""

import os
import sys
from importlib import resources
from pathlib import Path

import yaml
from filelock import FileLock

from rolesynth_assets.store.atomic_files import write_text

HOME = ".dagster"
LOCK_TIMEOUT_S = 300.0
INSTANCE = "dagster.yaml"


def prepare_home() -> Path:
    """Make the home that DAGSTER_HOME names, `.dagster` here by default, ready to be opened.

    The instance's first opening creates its tables. Where two processes do that at once, both write
    a version and no process can open it again; here the second one waits.

    A home without a dagster.yaml gets the one of this folder, or else the shipped one with its
    limits and its watch over runs. One that is there is the user's and stays as it is.

    Returns:
        The home, an absolute path that DAGSTER_HOME is set to.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or HOME).expanduser().resolve()
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".prepare.lock", timeout=LOCK_TIMEOUT_S):
        _give_settings(home)
        import dagster as dg

        with dg.DagsterInstance.get():
            pass
    return home


def _give_settings(home: Path) -> None:
    here, theirs = Path(INSTANCE), home / INSTANCE
    if not theirs.exists():
        shipped = resources.files("rolesynth_assets") / INSTANCE
        write_text(theirs, here.read_text() if here.is_file() else shipped.read_text())
    elif here.is_file() and here.resolve() != theirs.resolve() and not _same(here, theirs):
        print(
            f"{theirs} is in force, and {here.resolve()} differs from it. To use the latter, copy "
            "it over the former.",
            file=sys.stderr,
        )


def _same(one: Path, other: Path) -> bool:
    """Whether two files say the same, comments left out."""
    try:
        return yaml.safe_load(one.read_text()) == yaml.safe_load(other.read_text())
    except yaml.YAMLError:  # Dagster says what is wrong with it
        return False
