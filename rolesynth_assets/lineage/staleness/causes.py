"""What is out of date and why: the values in which staleness is described."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """The state of a partition."""

    MISSING = "missing"
    STALE = "stale"
    FRESH = "fresh"


class Reason(StrEnum):
    """Why a partition is stale."""

    CODE = "code"
    """Its asset's code version is another than the one that made it."""
    DATA = "data"
    """An upstream partition holds other content than it was made from."""
    NEW_INPUT = "new_input"
    """An upstream partition was made for the first time since."""
    INPUTS = "inputs"
    """Upstream partitions were added or taken away: it was made from another set of them."""
    NEW_DEPENDENCY = "new_dependency"
    OLD_DEPENDENCY = "old_dependency"
    WIPED = "wiped"
    """What it was made from was wiped."""
    ADDED_AGAIN = "added_again"
    """Its key was deleted and added again after it was made."""
    LOST = "lost"
    """Its content is recorded, and the table or folder that held it is gone."""
    KILLED = "killed"
    """The run that was making it was killed, so it may be made in part."""
    CHECK = "check"
    """Its content did not pass a blocking check."""
    UNCHECKED = "unchecked"
    """The run that made its content ended before a blocking check was evaluated."""
    PASSING = "passing"
    """Some of it failed for a transient reason, so it is to be asked again."""
    UPSTREAM = "upstream"
    """Something it is made from is stale itself."""
    UPSTREAM_PASSING = "upstream_passing"
    """Something it is made from is to be asked again; it is of use as it is."""
    BLOCKED = "blocked"
    """Something it is made from did not pass a blocking check."""
    ABSENT = "absent"
    """Nothing of what it is made from is there."""


_FOLLOWED = {Reason.UPSTREAM, Reason.UPSTREAM_PASSING, Reason.BLOCKED, Reason.ABSENT}
_OF_USE = {Reason.PASSING, Reason.UPSTREAM_PASSING}


class Cell(NamedTuple):
    """One partition of an asset; None means an asset without partitions."""

    asset: str
    partition: str | None = None

    @classmethod
    def named(cls, name: str) -> Cell:
        """Return the cell whose text is `name`."""
        asset, bracket, partition = name.partition("[")
        return cls(asset, partition.removesuffix("]") if bracket else None)

    def __str__(self) -> str:
        return self.asset if self.partition is None else f"{self.asset}[{self.partition}]"


@dataclass(frozen=True)
class Cause:
    """One reason for being stale.

    Attributes:
        reason: its kind.
        upstream: the first upstream cell concerned, if any.
        before: the code version that made it.
        after: the code version now, the check's name, what failed for a transient reason, the
            run that was killed, or what became of the table.
        count: upstream cells concerned in all, `upstream` included.
        total: upstream cells that it is made from in all, where that matters.
        events: storage ids of the upstream content it was made from and of the content now.
        content: what identifies the upstream content now; an event that finds or makes the same
            content again changes nothing of it.
    """

    reason: Reason
    upstream: Cell | None = None
    before: str = ""
    after: str = ""
    count: int = 1
    total: int = 0
    events: tuple[int, int] | None = None
    content: str = ""

    @property
    def follows(self) -> bool:
        """Whether it follows from the upstream cell's own state, so is no root."""
        return self.reason in _FOLLOWED

    @property
    def waits(self) -> bool:
        """Whether it is no use to make the cell before the upstream cell is right.

        What is made from many is made from those that are right, so that one failing shard does
        not hold up the others; but never from what did not pass a blocking check.
        """
        return self.reason in (Reason.BLOCKED, Reason.ABSENT) or (
            self.reason is Reason.UPSTREAM and self.count == self.total
        )

    def __str__(self) -> str:
        cell, others = str(self.upstream or ""), f" and {self.count - 1:,} more"
        some = cell + (others if self.count > 1 else "")
        asset = self.upstream.asset if self.upstream else ""
        return {
            Reason.CODE: f"code version {self.before} -> {self.after}",
            Reason.DATA: f"{some} changed",
            Reason.NEW_INPUT: f"{some} {'are' if self.count > 1 else 'is'} new",
            Reason.INPUTS: f"partitions of {asset} were added or taken away",
            Reason.NEW_DEPENDENCY: f"now depends on {asset}",
            Reason.OLD_DEPENDENCY: f"no longer depends on {asset}",
            Reason.WIPED: f"{asset} was wiped",
            Reason.ADDED_AGAIN: "its partition was deleted and added again",
            Reason.LOST: self.after,
            Reason.KILLED: f"the run that was making it was killed (run {self.after[:8]})",
            Reason.CHECK: f"blocking check {self.after} failed",
            Reason.UNCHECKED: f"the run that made it ended before blocking check {self.after}",
            Reason.PASSING: f"{self.after} failed for a transient reason",
            Reason.UPSTREAM_PASSING: f"upstream {some} {'are' if self.count > 1 else 'is'} to be "
            "asked again",
            Reason.UPSTREAM: f"upstream {some} {'are' if self.count > 1 else 'is'} stale",
            Reason.BLOCKED: f"upstream {some} did not pass a blocking check",
            Reason.ABSENT: f"upstream {asset} is missing",
        }[self.reason]


@dataclass(frozen=True)
class CellState:
    """Status and causes of one cell; a missing one's causes are what it waits for."""

    status: Status
    causes: tuple[Cause, ...] = ()

    @property
    def due(self) -> bool:
        """Whether it is missing, or stale by itself and not only for what is upstream."""
        return self.status is Status.MISSING or any(not cause.follows for cause in self.causes)

    @property
    def of_use(self) -> bool:
        """Whether what is made from it need not wait: it is fresh, or only to be asked again.

        A row that fails for ever would hold up all that hangs on its partition otherwise.
        """
        return all(cause.reason in _OF_USE for cause in self.causes)

    @property
    def waits(self) -> bool:
        """Whether something upstream must be right first."""
        return any(cause.waits for cause in self.causes)
