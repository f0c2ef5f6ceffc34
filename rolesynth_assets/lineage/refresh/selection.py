"""Which stale partitions somebody asks for: by asset and by the words of a cause."""

from __future__ import annotations

from collections.abc import Collection

from rolesynth_assets.lineage.refresh.rematerialize import Wanted
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.explain import Words
from rolesynth_assets.lineage.staleness.staleness import Staleness


def selected(
    staleness: Staleness, words: Words, assets: Collection[str], cause: str, missing: bool
) -> Wanted:
    """Choose partitions as they are now; what changes while they are made, changes nothing of it.

    Args:
        staleness: what is missing, stale or fresh.
        words: the causes in words.
        assets: assets; none means all.
        cause: part of a cause's words, in any case; empty means every cause.
        missing: whether to choose what was never made, too.

    Raises:
        KeyError: there is no such asset; the message lists the assets.
    """
    if unknown := sorted(set(assets) - set(staleness.states)):
        raise KeyError(f"no asset {', '.join(unknown)}; there are {', '.join(staleness.states)}")
    part = cause.casefold()
    chosen = {
        cell
        for cell, _ in staleness.stale()
        if not part or any(part in text.casefold() for text in words.why(staleness, cell))
    }

    def wanted(cell: Cell, status: Status) -> bool:
        if assets and cell.asset not in assets:
            return False
        return cell in chosen or (missing and status is Status.MISSING)

    return wanted
