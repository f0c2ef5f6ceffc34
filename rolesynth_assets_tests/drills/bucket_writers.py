"""Processes that write to one data root in a bucket at once, are killed, and meet its faults."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.drills import _bucket_writer
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.faulty_s3 import faults
from rolesynth_assets_tests.loopback_s3 import LoopbackS3, loopback_s3

FAULTS = [
    "processes that make the same partitions of a bucket at once",
    "processes that write to a bucket, killed with -9",
    "a bucket that refuses requests or loses answers, one in twenty",
]
_PROMISE = "each key once, no row lost, none paid twice but a micro-batch for each kill"


@dataclass(frozen=True)
class Load:
    """How much a drill does: processes, partitions that each makes, keys of one, kills."""

    processes: int
    partitions: int
    keys: int
    kills: int


LOADS: dict[Size, Load] = {"small": Load(3, 2, 24, 1), "long": Load(8, 6, 48, 8)}


def run(size: Size) -> list[Outcome]:
    """Run the same load plain, with kills, and with faults."""
    load = LOADS[size]
    with loopback_s3() as service, pytest.MonkeyPatch.context() as patch:
        service.set_environment(patch)
        plain = _made(service, "plain", load, kills=0)
        killed = _made(service, "killed", load, kills=load.kills)
        with faults(service, one_in=20) as met:
            faulty = _made(service, "faulty", load, kills=0)
    count = load.processes * load.partitions
    return [
        Outcome(FAULTS[0], count, count * plain, _PROMISE),
        Outcome(FAULTS[1], load.kills, load.kills * killed, _PROMISE),
        Outcome(FAULTS[2], met.refused + met.lost, (met.refused + met.lost) * faulty, _PROMISE),
    ]


def _made(service: LoopbackS3, name: str, load: Load, kills: int) -> bool:
    """Let all processes make all partitions, each in an order of its own."""
    root = f"{service.fill(f'drill-{name}', {})}/data"
    chosen = random.Random(name)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        ledger.touch()
        writers = [_start(root, ledger, load, chosen) for _ in range(load.processes)]
        try:
            return _end(writers, root, ledger, load, kills, chosen)
        finally:
            for writer in writers:
                writer.kill()


def _end(
    writers: list[subprocess.Popen],
    root: str,
    ledger: Path,
    load: Load,
    kills: int,
    chosen: random.Random,
) -> bool:
    """Kill some writers and start them again, and look at what they have left when all are done."""
    done, left = 0, kills
    while left and any(writer.poll() is None for writer in writers):
        lines = ledger.read_text().count("\n")
        if lines <= done:  # wait until somebody pays again, so that a kill meets work
            time.sleep(0.05)
            continue
        done, left = lines, left - 1
        place = chosen.randrange(len(writers))
        time.sleep(chosen.random() * 0.3)
        writers[place].kill()
        writers[place].wait()
        writers[place] = _start(root, ledger, load, chosen)
    ended = [writer.wait(timeout=600) for writer in writers]
    return not left and ended == [0] * len(writers) and _holds(root, ledger, load, kills)


def _start(root: str, ledger: Path, load: Load, chosen: random.Random) -> subprocess.Popen:
    parts = [f"s{n}" for n in range(load.partitions)]
    chosen.shuffle(parts)
    command = [sys.executable, "-m", _bucket_writer.__name__, root, str(ledger), str(load.keys)]
    return subprocess.Popen([*command, *parts], cwd=Path(__file__).parents[2], env=dict(os.environ))


def _holds(root: str, ledger: Path, load: Load, kills: int) -> bool:
    """Whether every key is there once, and no more was paid than kills explain."""
    rows = Store(root).read("pairs", columns=["shard", "caption_id"]).to_pylist()
    stored = Counter(row["caption_id"] for row in rows)
    wanted = {f"s{p}-{n:05}" for p in range(load.partitions) for n in range(load.keys)}
    paid = Counter(ledger.read_text().split("\n")[:-1])
    again = sum(paid.values()) - len(paid)
    manifests = SmallTables(root).read("manifests")
    small = sorted(manifests["shard"]) == sorted(f"s{n}" for n in range(load.partitions))
    return (
        set(stored) == wanted
        and set(stored.values()) == {1}
        and all(row["caption_id"].startswith(f"{row['shard']}-") for row in rows)
        and set(paid) == wanted
        and again <= kills * _bucket_writer.MICRO_BATCH
        and small
        and manifests["pairs_digest"].n_unique() == load.partitions
    )
