"""Several processes, and processes that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.locks import writer_lock

A = {"shard": "s0", "role_set": "A"}

WRITER = textwrap.dedent(
    """
    import sys
    import pyarrow as pa
    from rolesynth_assets.store.lance.store import Store

    def micro_batch(first, size):
        ids = [f"k{n:04}" for n in range(first, first + size)]
        same = {name: [name] * size for name in ("image_id", "role", "length")}
        text = [f"caption {key} " * 20 for key in ids]
        return pa.table({"caption_id": ids, **same, "text": text, "kept": [True] * size})

    def main(root, first, last, size):
        store = Store(root)
        partition = {"shard": "s0", "role_set": "A"}
        wanted = [f"k{n:04}" for n in range(first, last)]
        missing = set(store.plan("pairs", partition, wanted).missing)
        for start in range(first, last, size):
            if f"k{start:04}" in missing:
                store.append("pairs", partition, micro_batch(start, size))
                print(start, flush=True)

    if __name__ == "__main__":
        main(sys.argv[1], *map(int, sys.argv[2:]))
    """
)


def writer(script: Path, root: Path, first: int, last: int, size: int) -> subprocess.Popen[str]:
    script.write_text(WRITER)
    arguments = [sys.executable, str(script), str(root), *map(str, (first, last, size))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> int:
    """Wait for a writer and count the micro-batches that it wrote."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return len(out.split())


def test_a_killed_writer_is_completed_by_a_rerun(tmp_path: Path) -> None:
    script, count, size = tmp_path / "writer.py", 400, 4
    killed_at = []
    for wait_for in (1, 12, 25):  # batches committed before the kill
        process = writer(script, tmp_path / "killed", 0, count, size)
        assert process.stdout is not None
        for _ in range(wait_for):
            process.stdout.readline()
        time.sleep(0.003 * len(killed_at))  # somewhere inside a later append
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        rows = Store(tmp_path / "killed").read("pairs", A, ["caption_id", "text"])
        killed_at.append(rows.num_rows)
        assert all(
            f"caption {k} " * 20 == t for k, t in zip(*rows.to_pydict().values(), strict=True)
        )
    assert 0 < killed_at[0] < killed_at[1] < killed_at[2] < count
    assert all(rows % size == 0 for rows in killed_at)  # no half micro-batch
    rerun = finish(writer(script, tmp_path / "killed", 0, count, size))
    assert rerun == (count - killed_at[2]) // size  # what was written is not written again
    assert finish(writer(script, tmp_path / "quiet", 0, count, size)) == count // size
    killed, quiet = Store(tmp_path / "killed"), Store(tmp_path / "quiet")
    assert killed.count("pairs", A) == len(killed.keys("pairs", A)) == count
    assert killed.digest("pairs", A) == quiet.digest("pairs", A)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    script, root = tmp_path / "writer.py", tmp_path / "root"
    # both also write 100..160, the first write of all included
    first, second = writer(script, root, 0, 160, 10), writer(script, root, 100, 260, 10)
    assert finish(first) + finish(second) >= 26
    store = Store(root)
    assert store.keys("pairs", A) == {f"k{n:04}" for n in range(260)}
    assert store.count("pairs", A) == 260


def test_a_reader_never_sees_half_of_a_replace(store: Store, pair_rows) -> None:
    store.replace("pairs", A, pair_rows([f"k{n}" for n in range(60)], text="round 0"))
    done = threading.Event()

    def keep_replacing() -> None:
        try:
            for turn in range(1, 16):
                ids = [f"k{n}" for n in range(turn, turn + 60)]  # some leave, some stay, some come
                store.replace("pairs", A, pair_rows(ids, text=f"round {turn}"))
        finally:
            done.set()

    thread = threading.Thread(target=keep_replacing)
    thread.start()
    seen = set()
    while not done.is_set() or not seen:
        rows = store.read("pairs", A, ["text"])
        rounds = {text.split(" k")[0] for text in rows["text"].to_pylist()}
        assert (rows.num_rows, len(rounds)) == (60, 1)
        seen |= rounds
    thread.join()
    assert {text.split(" k")[0] for text in store.read("pairs", A)["text"].to_pylist()} == {
        "round 15"
    }
    assert len(seen) > 1


def _hold_lock(root: str, taken, release) -> None:
    with writer_lock(root, "pairs"):
        taken.set()
        release.wait(30)


def test_a_writer_waits_and_says_for_what(tmp_path: Path, pair_rows) -> None:
    spawn = multiprocessing.get_context("spawn")
    taken, release = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=_hold_lock, args=(str(tmp_path), taken, release))
    holder.start()
    try:
        assert taken.wait(60)
        with pytest.raises(StoreError, match=r"'pairs': another process.*pairs\.lock"):
            with writer_lock(str(tmp_path), "pairs", patience_s=0.2):
                raise AssertionError("the lock was given to two")
        with writer_lock(str(tmp_path), "scores", patience_s=0.2):
            pass  # another table is free
        assert Store(tmp_path).read("pairs").num_rows == 0  # readers do not wait
    finally:
        holder.kill()  # not released: the kernel does it
        holder.join()
    Store(tmp_path).append("pairs", A, pair_rows(["k1"]))
    assert Store(tmp_path).count("pairs", A) == 1


def test_leftovers_of_a_first_write_that_died_are_no_table(tmp_path: Path, pair_rows) -> None:
    leftover = tmp_path / "lance" / "pairs.lance" / "data" / "half.lance"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"\x00" * 100)
    store = Store(tmp_path)
    assert store.read("pairs", A).equals(pa.schema(store.read("pairs").schema).empty_table())
    store.append("pairs", A, pair_rows(["k1"]))
    assert store.keys("pairs", A) == {"k1"}
