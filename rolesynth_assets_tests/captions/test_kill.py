"""A run killed for real and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rolesynth_assets.mllm.reply_journal import ReplyJournal, journal_path
from rolesynth_assets.store.tables import Store
from rolesynth_assets_tests.captions import kill_target
from rolesynth_assets_tests.captions.image_rows import store_images

REPOSITORY = Path(__file__).parents[2]
PARTITION = {"shard": kill_target.SHARD, "role_set": kill_target.ROLE_SET}
IMAGES = range(12)
WANTED = len(IMAGES) * 5 * 2
PATIENCE_S = 120.0


def start(root: Path, log: Path, delay_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", kill_target.__name__, str(root), str(log), str(delay_s)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment)


def calls(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def wait_for_calls(process: subprocess.Popen[bytes], log: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(calls(log)) < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"{len(calls(log))} calls after {PATIENCE_S} s"
        time.sleep(0.05)


def paid_captions(root: Path) -> set[str]:
    """Captions in the table or in the journal."""
    with ReplyJournal(journal_path(root, "captions")) as journal:
        rows = journal._database.execute("SELECT key FROM replies").fetchall()
    return Store(root).keys("captions", PARTITION) | {key.partition("/")[2] for (key,) in rows}


def test_a_killed_run_resumes_to_the_same_digest(tmp_path: Path) -> None:
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "calls"
    for root in (whole, killed):
        store_images(Store(root), kill_target.SHARD, IMAGES)
    kill_target.main(str(whole), str(tmp_path / "whole-calls"), 0.0)

    process = start(killed, log, 0.03)
    try:
        wait_for_calls(process, log, 70)
    finally:
        process.kill()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    calls_before = len(calls(log))
    paid = paid_captions(killed)
    assert 0 < calls_before - len(paid) <= kill_target.LOOK_AHEAD  # what was in flight

    assert start(killed, log, 0.0).wait(PATIENCE_S) == 0
    rows = Store(killed).read("captions", PARTITION, ["caption_id"])["caption_id"].to_pylist()
    assert len(rows) == len(set(rows)) == WANTED
    assert Store(killed).digest("captions", PARTITION) == Store(whole).digest("captions", PARTITION)

    assert len(set(calls(log))) == WANTED
    assert len(calls(log)) - WANTED <= kill_target.LOOK_AHEAD  # repeated calls
    assert not paid & set(calls(log)[calls_before:])  # nothing paid was asked again
    with ReplyJournal(journal_path(killed, "captions")) as journal:
        left = journal._database.execute("SELECT COUNT(*) FROM replies, shown").fetchone()
    assert left == (0,)  # what is in the table needs no journal
