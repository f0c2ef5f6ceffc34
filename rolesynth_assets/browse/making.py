"""Making what is stale from a page: Dagster's job `make_what_is_stale`, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO

from rolesynth_assets.errors import InputError
from rolesynth_assets.lineage.run_process.launcher import LOCATION, USER, WHAT

JOB, OP = "make_what_is_stale", "make_stale_partitions"
"""The job, and its one op, which takes the selection."""
_TAIL = 1_500  # bytes of what a failed process printed last


class Making:
    """The job at work, one at a time.

    The process goes on if this server ends: what it has paid for must not be lost.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._printed: IO[bytes] | None = None
        self._config: IO[str] | None = None

    @property
    def working(self) -> bool:
        """Whether the job that was started last has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def failed(self) -> str:
        """What the last job printed at its end, if it failed; empty otherwise."""
        if self._process is None or self._printed is None or not self._process.poll():
            return ""
        self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, self._printed.tell() - _TAIL))
        return self._printed.read().decode(errors="replace").strip()

    def start(self, assets: Sequence[str], who: str) -> None:
        """Start the job.

        Args:
            assets: assets whose stale partitions are made; none means all.
            who: who started it, for the runs' tag.

        Raises:
            InputError: the job that was started before is still at work.
        """
        with self._lock:
            if self.working:
                raise InputError("Stale partitions are being made already: wait for their end.")
            self._printed = tempfile.TemporaryFile()
            self._config = tempfile.NamedTemporaryFile("w", suffix=".yaml")
            self._config.write(json.dumps(config(assets)))  # which is YAML, too
            self._config.flush()
            self._process = subprocess.Popen(
                command(self._config.name, who),
                env=os.environ | {"PYTHONSAFEPATH": "1"},
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def config(assets: Sequence[str]) -> dict:
    """Return the job's run configuration for a selection of assets; none means all."""
    return {"ops": {OP: {"config": {"assets": list(assets)}}}}


def command(config_file: str, who: str) -> list[str]:
    """Return Dagster's own command that executes the job.

    Args:
        config_file: YAML file of the run configuration.
        who: who started it.
    """
    tags = {WHAT: "make what is stale, from the browse page", USER: who}
    ours = str(Path(__file__).parents[2])
    executed = ["job", "execute", "-m", LOCATION, "-d", ours, "-j", JOB]
    given = ["--config", config_file, "--tags", json.dumps(tags)]
    return [sys.executable, "-P", "-m", "dagster", *executed, *given]
