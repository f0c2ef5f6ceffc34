"""Runs of the command line, as the UI shows them: named, with who started them and their cost."""

from __future__ import annotations

import getpass
import shlex
import socket
import sys
from pathlib import Path

from rolesynth_assets.mllm.cost.spent import Spent

LOCATION = "rolesynth_assets.definitions"
"""Name of the code location, as `rolesynth ui` and workspace.yaml give it."""
WHAT, COMMAND, COST = "rolesynth/what", "rolesynth/command", "rolesynth/cost"
USER = "user"
"""Tag that the UI shows as who launched a run."""
LONGEST = 200
"""Characters of a tag's value; the runs table shows one line."""


def launched_tags(what: str) -> dict[str, str]:
    """Return the tags of runs that this command starts.

    Args:
        what: what the runs are for, such as ``run roles5``.
    """
    program, *arguments = sys.argv
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under an id without a name
        user = "unknown"
    return {
        WHAT: what[:LONGEST],
        USER: f"{user}@{socket.gethostname()}",
        COMMAND: f"{Path(program).name} {shlex.join(arguments)}"[:LONGEST],
    }


def cost_tags(spent: Spent) -> dict[str, str]:
    """Return the tag with what a run took of models; none where it asked for nothing."""
    if not spent.calls:
        return {}
    return {COST: f"{spent.cost:.4f} for {spent.calls:,} calls"}
