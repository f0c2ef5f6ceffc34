"""The Dagster home of a project in which nothing happens, day by day (`python -m`, from the root).

Dagster's own daemon plays every minute with every sensor on; only the clock is simulated. The
settings are those of `dagster.yaml`, its retention included.
"""

import logging
import os
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from shutil import copy
from typing import Annotated

import typer

from rolesynth_assets_tests.defs.automation.idle_daemon import idle_daemon

MIB = 2**20
DAY = 24 * 60


def main(
    days: Annotated[float, typer.Option(help="Simulated days.")] = 3,
) -> None:
    """Print the size of the home after each simulated day."""
    logging.disable(logging.WARNING)  # the daemon reports each turn
    source = Path("dagster.yaml").resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DAGSTER_HOME"] = str(Path(folder, "home"))
        copy(source, folder)
        with chdir(folder), idle_daemon() as daemon:
            print(f"at first: {daemon.size() / MIB:.2f} MiB", flush=True)
            left, began = int(days * DAY), time.perf_counter()
            while left:
                minutes = min(DAY, left)
                daemon.run(minutes)
                left -= minutes
                events = daemon.instance.event_log_storage.get_maximum_record_id()
                print(
                    f"{daemon.now:%d %b %H:%M}: {daemon.size() / MIB:.2f} MiB, "
                    f"{daemon.ticks():,} ticks kept, {events} events, "
                    f"{time.perf_counter() - began:.0f} s so far",
                    flush=True,
                )


if __name__ == "__main__":
    typer.run(main)
