"""State that outlives a process: the UI's children, wrong clocks, a home's own settings."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from rolesynth_assets_tests.drills.outcome import Outcome, Size

SEED = 23
KILLS: dict[Size, int] = {"small": 2, "long": 12}
DAYS: dict[Size, tuple[float, ...]] = {"small": (2,), "long": (1 / 24, 1, 2, 30, 400)}
OWN_SETTINGS = (
    b"# mine\ntelemetry:\n  enabled: false\n",
    b"",
    b"nux: {enabled: false}\r\n",
    b"run_queue: [not, valid",
    b"\xff\xfe no text",
)
UI_STARTS_S = 120.0
UI_PROCESSES = 3
"""Fewest processes that a UI at work has started: webserver, daemon, code server."""


FAULTS = [
    "kill -9 of the process that starts the UI's services",
    "kill -9 of `rolesynth ui`",
    "a clock that was wrong and is set right",
    "a Dagster home with a `dagster.yaml` of its own, even a broken one",
]


def run(size: Size) -> list[Outcome]:
    """Kill what the UI runs in, set clocks wrong, and prepare homes that have settings."""
    killed = [_starter_killed(delay) for delay in _moments(KILLS[size])]
    outcomes = [
        Outcome(
            FAULTS[0],
            len(killed),
            sum(killed),
            "no child and no grandchild is left",
        )
    ]
    if size == "long":
        uis = [_ui_killed(delay) for delay in (0.5, 8.0, UI_STARTS_S)]
        promise = "no webserver, daemon or code server is left"
        outcomes.append(Outcome(FAULTS[1], len(uis), sum(uis), promise))
    clocks = [_set_back(days) for days in DAYS[size]] + [_behind(days) for days in DAYS[size]]
    kept = [_settings_kept(own, project) for own in OWN_SETTINGS for project in (False, True)]
    return [
        *outcomes,
        Outcome(
            FAULTS[2],
            len(clocks),
            sum(clocks),
            "no partition is stale for it, and none counts as fresh for it",
        ),
        Outcome(
            FAULTS[3],
            len(kept),
            sum(kept),
            "the file stays byte for byte",
        ),
    ]


def _moments(count: int) -> Iterator[float]:
    dice = random.Random(SEED)
    for _ in range(count):
        yield dice.uniform(0, 0.3)


def _starter_killed(delay_s: float) -> bool:
    from rolesynth_assets_tests.ui.test_services import CHILD, alive, all_gone, pids_of, started

    starter = started(CHILD)
    try:
        pids = pids_of(starter)
        time.sleep(delay_s)
        at_work = len(pids) == 4 and all(map(alive, pids))
        starter.kill()
        return at_work and all_gone(pids)
    finally:
        starter.kill()
        starter.communicate()


def _ui_killed(patience_s: float) -> bool:
    """Start the UI, kill it when all is started or after some seconds; return if all is gone."""
    from rolesynth_assets_tests.ui.test_services import all_gone

    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        command = [str(Path(sys.executable).with_name("rolesynth")), "ui", "--port", str(port)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROLESYNTH", "DAGSTER"))}
        process = subprocess.Popen(command, cwd=folder, env=kept)
        try:
            until = time.monotonic() + patience_s
            below: set[int] = set()
            while time.monotonic() < until and not _answers(port):
                below |= set(_descendants(process.pid))
                time.sleep(0.2)
            below |= set(_descendants(process.pid))
        finally:
            process.kill()
            process.wait()
        started_all = patience_s < UI_STARTS_S or len(below) >= UI_PROCESSES
        return started_all and all_gone(sorted(below))


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def _descendants(pid: int) -> list[int]:
    """Return the processes below one, by the parents that /proc states."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _set_back(days: float) -> bool:
    """The clock was ahead while a partition was added and made, and is right afterwards."""
    import dagster as dg

    from rolesynth_assets_tests.lineage.little_graphs import World, causes
    from rolesynth_assets_tests.lineage.staleness import test_staleness_events as events

    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        shards = events.SHARDS
        assets = [world.asset("images", shards), world.asset("captions", shards, ["images"])]
        first = events.next_event(world)
        events.added_later(world, "s0", days)
        world.make(assets, "images", "s0")
        events.move_the_clock(world, first, days)
        world.make(assets, "captions", "s0")
        found = world.staleness(assets)
        return causes(found, "captions", "s0") == [] and not list(found.stale())


def _behind(days: float) -> bool:
    """The clock was behind while wiped content was made again."""
    import dagster as dg

    from rolesynth_assets.lineage.staleness.causes import Status
    from rolesynth_assets_tests.lineage.little_graphs import World
    from rolesynth_assets_tests.lineage.staleness import test_staleness_events as events

    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        letters = events.LETTERS
        assets = [world.asset("up", letters), world.asset("down", letters, ["up"])]
        for asset in ("up", "down"):
            world.make(assets, asset, "a")
        world.instance.wipe_assets([dg.AssetKey("up")])
        wiped = events.status(world, assets, "up:a") is not Status.FRESH
        first = events.next_event(world)
        world.make(assets, "up", "a")
        events.move_the_clock(world, first, -days)
        fresh = [events.status(world, assets, cell) is Status.FRESH for cell in ("up:a", "down:a")]
        return wiped and all(fresh)


def _settings_kept(own: bytes, project: bool) -> bool:
    from rolesynth_assets.cli.dagster_home import prepare_home

    with tempfile.TemporaryDirectory() as place, mock.patch.dict(os.environ):
        folder = Path(place).resolve()
        (folder / "home").mkdir()
        theirs = folder / "home" / "dagster.yaml"
        theirs.write_bytes(own)
        if project:
            (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        os.environ |= {"DAGSTER_HOME": str(theirs.parent), "ROLESYNTH_DATA": str(folder / "data")}
        said = open(os.devnull, "w")
        with said, contextlib.chdir(folder), contextlib.redirect_stderr(said):
            for _ in range(2):
                with contextlib.suppress(Exception):  # Dagster refuses what is no settings file
                    prepare_home()
        return theirs.read_bytes() == own
