"""The Dagster home: the folder with the instance's state, made once for all that come at once."""

import os
from pathlib import Path

from filelock import FileLock

HOME = ".dagster"
LOCK_TIMEOUT_S = 300.0
INSTANCE = "dagster.yaml"


def prepare_home() -> Path:
    """Make the home that DAGSTER_HOME names, `.dagster` here by default, ready to be opened.

    The instance's first opening creates its tables. Where two processes do that at once, both write
    a version and no process can open it again; here the second one waits.

    Returns:
        The home, an absolute path that DAGSTER_HOME is set to; a dagster.yaml here is copied to it.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or HOME).expanduser().resolve()
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".prepare.lock", timeout=LOCK_TIMEOUT_S):
        _copy_settings(home)
        import dagster as dg

        with dg.DagsterInstance.get():
            pass
    return home


def _copy_settings(home: Path) -> None:
    ours, theirs = Path(INSTANCE), home / INSTANCE
    wanted = ours.read_text() if ours.is_file() else "telemetry:\n  enabled: false\n"
    if not theirs.exists() or (ours.is_file() and theirs.read_text() != wanted):
        theirs.write_text(wanted)
