from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from dataclasses import replace

import pytest

from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.store.errors import HeldError, LostLeaseError, StoreError
from rolesynth_assets.store.leases import object_lease
from rolesynth_assets.store.leases.holder import Holder
from rolesynth_assets.store.leases.object_lease import ObjectLease, take
from rolesynth_assets.store.locks import partition_lock, writer_lock

PARTITION = {"shard": "s0", "role_set": "it's | ü"}


@pytest.fixture
def place(bucket_root: str) -> ObjectPath:
    return ObjectPath.of(bucket_root) / "locks" / "pairs.json"


@pytest.fixture
def nobody_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holders are of another machine, so that only the time says whether they live."""
    monkeypatch.setattr(Holder, "gone", property(lambda _: False))


def aged(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the bucket's clock be ahead of what is written in it, for one who asks from now on."""
    clock = object_lease._LeaseObject._bucket_clock

    def ahead(self):  # type: ignore[no-untyped-def]
        now = clock(self)
        return lambda: now() + seconds

    monkeypatch.setattr(object_lease._LeaseObject, "_bucket_clock", ahead)


def test_one_holds_it_and_the_next_is_told_who(place: ObjectPath, nobody_is_gone: None) -> None:
    first = take(place, 0.0)
    first.check()
    with pytest.raises(HeldError, match=rf"process {os.getpid()} on {socket.gethostname()}, since"):
        take(place, 0.0)
    first.give_back()
    second = take(place, 0.0)
    assert (first.token, second.token) == (1, 2)
    first.give_back()  # once more, and late
    with pytest.raises(HeldError):
        take(place, 0.0)
    second.give_back()


def test_of_many_at_once_one_after_the_other_holds_it(
    place: ObjectPath, nobody_is_gone: None
) -> None:
    inside, most, tokens = [0], [0], []

    def work() -> None:
        lease = take(place, 60.0)
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        tokens.append(lease.token)
        inside[0] -= 1
        lease.give_back()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert tokens == list(range(1, 9))


def test_a_dead_holders_right_expires_and_its_token_is_old(
    place: ObjectPath, nobody_is_gone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = take(place, 0.0)
    dead._over.set()  # it does not renew any more
    with pytest.raises(HeldError):
        take(place, 0.0)
    aged(monkeypatch, 63)
    heir = take(place, 0.0)
    assert heir.token == dead.token + 1
    dead._over.clear()
    dead._written_at -= 46  # as its own clock says
    with pytest.raises(LostLeaseError, match="could not renew its right for 60 s"):
        dead.check()
    with pytest.raises(LostLeaseError):
        dead.check()
    heir.check()
    dead.give_back()
    heir._renew()  # finds the object as it has left it
    heir.check()
    heir.give_back()


def test_a_living_holder_renews(
    place: ObjectPath, nobody_is_gone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_lease, "ROUNDING_S", 1.0)
    living = take(place, 0.0, expiry_s=1.0)
    with pytest.raises(HeldError):
        take(place, 4.0)
    living.check()
    living.give_back()


def test_one_who_cannot_reach_the_bucket_stops_in_time(
    place: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take(place, 0.0)

    def refused(*_: object) -> None:
        raise StorageError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(object_lease._LeaseObject, "put", refused)
        lease.check()  # it has just been written
        lease._written_at -= 46
        with pytest.raises(LostLeaseError):
            lease.check()
    lease.check()  # the bucket answers again, and nobody has taken it
    lease.give_back()


def test_a_put_whose_answer_was_lost_is_known_by_its_mark(place: ObjectPath) -> None:
    object_ = object_lease._LeaseObject(place)
    state = object_lease._State(1, 60.0, Holder.here())
    condition = object_.put(state, None)
    assert object_.put(state, None) == condition  # the same put, made again
    other = object_lease._State(1, 60.0, Holder.here())
    assert object_.put(other, None) is None
    assert object_.put(other, {"e_tag": '"another"'}) is None


def _hold_and_die(url: str, taken) -> None:  # type: ignore[no-untyped-def]
    with writer_lock(url, "pairs"):
        taken.set()
        time.sleep(600)


def test_a_process_killed_on_this_machine_blocks_nobody(bucket_root: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    taken = spawn.Event()
    holder = spawn.Process(target=_hold_and_die, args=(bucket_root, taken))
    holder.start()
    try:
        assert taken.wait(60)
        with pytest.raises(StoreError, match=rf"'pairs': process {holder.pid} on .* has been"):
            with writer_lock(bucket_root, "pairs", patience_s=0.1):
                raise AssertionError("two hold it")
    finally:
        holder.kill()
        holder.join()
    with writer_lock(bucket_root, "pairs", patience_s=0.0) as hold:
        assert isinstance(hold, ObjectLease) and hold.token == 2


def test_a_pid_of_another_machine_or_boot_says_nothing() -> None:
    here = Holder.here()
    assert not here.gone
    dead = replace(here, pid=2**22 + 1)
    assert dead.gone == bool(here.machine)
    assert not replace(dead, machine="another").gone
    assert not replace(dead, machine="", started="").gone


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_partitions_are_made_by_one_at_a_time(
    where: str, request: pytest.FixtureRequest, tmp_path
) -> None:
    root = request.getfixturevalue("bucket_root") if where == "bucket" else str(tmp_path)
    with partition_lock(root, "captions", PARTITION):
        with pytest.raises(StoreError, match=r"s0\|it's \| ü: process \d+ on .*, since 2") as said:
            with partition_lock(root, "captions", PARTITION, patience_s=0.0):
                raise AssertionError("two hold it")
        assert str(os.getpid()) in str(said.value)
        with partition_lock(root, "captions", {"shard": "s1", "role_set": "A"}, patience_s=0.0):
            pass
        with writer_lock(root, "captions", patience_s=0.0):
            pass
    with partition_lock(root, "captions", PARTITION, patience_s=0.0):
        pass
