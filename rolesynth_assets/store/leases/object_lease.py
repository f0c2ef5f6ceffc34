"""A lease in a bucket: the right of one process to do something, as one object.

Every change of the object is a put on the condition that nobody else has changed it, so of several
who want the right one gets it. The holder writes the object anew from time to time; if it does not,
because it is dead or cannot reach the bucket, the right expires and the next one takes it. Ages are
measured by the bucket's clock alone. The object stays when the right is given back, so that its
token grows with every holder.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import StorageError, explained, open_object_store
from rolesynth_assets.store.errors import HeldError, LostLeaseError
from rolesynth_assets.store.leases.holder import Holder

if TYPE_CHECKING:
    from obstore.store import ObjectStore

EXPIRY_S = 60.0
"""Seconds after which a right is free whose holder does not write the object anew."""
SAFE = 0.75
"""Share of that time for which the holder itself relies on what it wrote last."""
ROUNDING_S = 2.0  # times of a bucket are whole seconds
LONGEST_PAUSE_S = 1.0  # between two looks at a right that somebody else holds


@dataclass(frozen=True)
class _State:
    """What the object says; `mark` is another at each write, and so is the object's tag."""

    token: int
    expiry_s: float
    holder: Holder | None
    mark: str = field(default_factory=lambda: uuid4().hex)

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, content: bytes) -> _State:
        said = json.loads(content)
        holder = Holder(**said["holder"]) if said["holder"] else None
        return cls(said["token"], said["expiry_s"], holder, said["mark"])


@dataclass(frozen=True)
class _Seen:
    """The object at one time: its state, its condition for the next put, and its age's base."""

    state: _State
    condition: Mapping[str, str]
    written: datetime


class ObjectLease:
    """A right that this process holds; a thread writes the object anew until it is given back.

    Attributes:
        token: number of this holding; a later one has a larger number.
    """

    def __init__(
        self, object_: _LeaseObject, state: _State, condition: Mapping[str, str], at: float
    ) -> None:
        self.token = state.token
        self._object, self._state, self._condition = object_, state, condition
        self._written_at, self._lost = at, False
        self._writing, self._over = Lock(), Event()
        Thread(target=self._renew_always, daemon=True, name=f"lease {object_.path.name}").start()

    def check(self) -> None:
        """Make sure that the right is still held; called before each commit.

        Raises:
            LostLeaseError: it expired, and somebody else may hold it.
        """
        if not self._lost and not self._is_fresh():
            self._renew()
        if self._lost or not self._is_fresh():
            raise LostLeaseError(
                f"{self._object.path}: this process could not renew its right for "
                f"{self._state.expiry_s:.0f} s (was the machine asleep, or the bucket out of "
                "reach?), and another one may hold it now. Nothing more was written; what was "
                "written before is kept. Run this again."
            )

    def give_back(self) -> None:
        """Let the next one have the right; what cannot be reached expires by itself."""
        self._over.set()
        with self._writing:
            if not self._lost:
                try:
                    free = _State(self.token, self._state.expiry_s, None)
                    self._object.put(free, self._condition)
                except StorageError:
                    pass

    def _is_fresh(self) -> bool:
        return _now() - self._written_at < SAFE * self._state.expiry_s

    def _renew_always(self) -> None:
        while not self._over.wait(self._state.expiry_s / 4) and not self._lost:
            self._renew()

    def _renew(self) -> None:
        with self._writing:
            if self._lost or self._over.is_set():
                return
            at, state = _now(), _State(self.token, self._state.expiry_s, self._state.holder)
            try:
                condition = self._object.put(state, self._condition)
            except StorageError:
                return  # tried again before it expires
            if condition is None:
                self._lost = True
            else:
                self._condition, self._written_at = condition, at


def take(path: ObjectPath, patience_s: float, expiry_s: float = EXPIRY_S) -> ObjectLease:
    """Wait for a right and take it.

    Args:
        path: the object.
        patience_s: longest time to wait for whoever holds it, s.
        expiry_s: seconds after which it is free if this process dies.

    Raises:
        HeldError: somebody holds it all the time; the error names the holder.
        StorageError: the bucket cannot be read or written.
    """
    object_, end, pause = _LeaseObject(path), _now() + patience_s, 0.05
    while True:
        at, seen = _now(), object_.look()
        if seen is None or object_.is_free(seen):
            token = 1 if seen is None else seen.state.token + 1
            state = _State(token, expiry_s, Holder.here())
            if (now := object_.put(state, seen and seen.condition)) is not None:
                return ObjectLease(object_, state, now, at)
        elif _now() >= end:
            assert seen.state.holder is not None
            raise HeldError(str(path), seen.state.holder)
        else:
            time.sleep(min(pause * random.uniform(0.5, 1.5), max(0.0, end - _now())))
            pause = min(2 * pause, LONGEST_PAUSE_S)


class _LeaseObject:
    """The object of a lease."""

    def __init__(self, path: ObjectPath) -> None:
        self.path = path
        self._store: ObjectStore = open_object_store(str(path.parent))
        self._clock: Callable[[], float] | None = None

    def look(self) -> _Seen | None:
        """Read the object; None if nobody has ever held the right."""
        try:
            with explained(str(self.path)):
                found = self._store.get(self.path.name)
                content = found.bytes().to_bytes()
        except FileNotFoundError:
            return None
        meta = found.meta
        return _Seen(_State.unpacked(content), _condition(meta), meta["last_modified"])

    def put(self, state: _State, condition: Mapping[str, str] | None) -> Mapping[str, str] | None:
        """Write the object if it is as `condition` says, or not there if that is None.

        Returns:
            The condition for the next put; None if somebody else has written it.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if condition is None else dict(condition)
        try:
            with explained(str(self.path)):
                return _condition(self._store.put(self.path.name, state.packed(), mode=mode))
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            # a put whose answer was lost is repeated by the client, and then refused
            seen = self.look()
            return seen.condition if seen is not None and seen.state.mark == state.mark else None

    def is_free(self, seen: _Seen) -> bool:
        """Whether nobody holds the right: it was given back, or its holder is dead."""
        if seen.state.holder is None or seen.state.holder.gone:
            return True
        if self._clock is None:
            self._clock = self._bucket_clock()
        return self._clock() - seen.written.timestamp() > seen.state.expiry_s + ROUNDING_S

    def _bucket_clock(self) -> Callable[[], float]:
        """Return the bucket's clock, s since the epoch: the time of a write that is made for it."""
        with explained(str(self.path)):
            self._store.put("clock", b"")
            after = _now()  # so that an age is rather too small
            written = self._store.head("clock")["last_modified"].timestamp()
        return lambda: written + _now() - after


def _condition(meta: Mapping[str, Any]) -> dict[str, str]:
    return {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}


def _now() -> float:
    """Return a clock that also runs while the machine sleeps, s."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
