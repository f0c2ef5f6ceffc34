"""Why something is stale, in words a person can act on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.lineage.staleness.causes import Cause, Cell, Reason
from rolesynth_assets.lineage.staleness.staleness import Staleness

if TYPE_CHECKING:
    from rolesynth_assets.roles.role import Role

SHOWN = 5
"""Causes listed for one upstream cell; the others are counted."""
ROWS = "dagster/partition_row_count"
Explain = Callable[[str], str | None]
"""Describes what changed in a partition of an upstream asset ("" where it has none), if it can."""


class Words:
    """Describes causes in words, with what the event log knows of them.

    Args:
        instance: where runs are recorded.
        explain: by upstream asset, one that looks closer at its change.
    """

    def __init__(
        self, instance: dg.DagsterInstance, explain: Mapping[str, Explain] | None = None
    ) -> None:
        self._instance, self._explain = instance, explain or {}
        self._told: dict[Cause, str] = {}

    def why(self, staleness: Staleness, cell: Cell) -> list[str]:
        """Describe a cell's own causes, then those upstream that it follows from.

        A cause upstream is listed once, by the shortest path, however many paths lead to it.
        """
        causes = staleness.state(cell).causes
        described = {self.describe(cause): "" for cause in causes if not cause.follows}
        lines = list(described)
        for cause in causes:
            if not cause.follows or cause.upstream is None:
                continue
            roots = {self.describe(root): where for where, root in staleness.roots(cause.upstream)}
            new = {text: str(where) for text, where in roots.items() if text not in described}
            if roots and not new and cause.reason in (Reason.UPSTREAM, Reason.UPSTREAM_PASSING):
                continue
            described |= new
            begun = [
                text if where == str(cause.upstream) else f"{where}: {text}"
                for text, where in new.items()
            ]
            if len(begun) > SHOWN:
                begun[SHOWN:] = [f"and {len(begun) - SHOWN} more"]
            lines.append(": ".join([str(cause), *(["; ".join(begun)] if begun else [])]))
        return lines

    def short(self, staleness: Staleness, cell: Cell) -> str:
        """Describe the first of a cell's causes, for the name of a run."""
        return next(iter(self.why(staleness, cell)), "")

    def describe(self, cause: Cause) -> str:
        """Describe one cause."""
        if cause not in self._told:
            self._told[cause] = self._closer(cause) or str(cause)
        return self._told[cause]

    def _closer(self, cause: Cause) -> str | None:
        upstream = cause.upstream
        if cause.reason is not Reason.DATA or upstream is None or cause.count > 1:
            return None
        explain = self._explain.get(upstream.asset)
        if explain and (described := explain(upstream.partition or "")):
            return described
        if cause.events is None:
            return None
        before, after = (self._rows(upstream, event) for event in cause.events)
        if before is None or after is None:
            return None
        if before == after:
            return f"{upstream} changed, {after:,} rows as before"
        more = after - before
        return f"{upstream} has {abs(more):,} {'new' if more > 0 else 'fewer'} rows"

    def _rows(self, cell: Cell, event: int) -> int | None:
        key = dg.AssetKey.from_user_string(cell.asset)
        found = self._instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=[event]), limit=1
        ).records
        made = found[0].asset_materialization if found else None
        value = made.metadata.get(ROWS) if made else None
        return int(value.value) if value is not None else None  # type: ignore[arg-type]


def changed_roles(before: Sequence[Role], now: Sequence[Role]) -> str | None:
    """Say which roles of a role set changed: "role observer changed", or None if none did.

    Args:
        before: the roles that captions were made with.
        now: the roles that its file holds.
    """
    old = {role.name: role.fingerprint for role in before}
    new = {role.name: role.fingerprint for role in now}
    changed = [name for name in new if name in old and old[name] != new[name]]
    kinds = {
        "changed": changed,
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
    }
    described = [
        f"role{'s' if len(names) > 1 else ''} {', '.join(names)} {what}"
        for what, names in kinds.items()
        if names
    ]
    return ", ".join(described) or None
