"""Sums over all materializations of what models were asked, and what the latest ones hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rolesynth_assets.lineage.staleness.events.event_log import MadeEvent

COUNTED = {
    "calls": "Requests to models.",
    "prompt_tokens": "Tokens that models read.",
    "completion_tokens": "Tokens that models wrote.",
    "cost": "Cost of the calls, in the currency of the prices.",
    "cached": "Rows that were there already and were not asked for again.",
    "recovered": "Rows from replies that an earlier run had paid for and not stored.",
    "seconds": "Seconds in which rows or models were made.",
}
"""Numbers in the metadata of a materialization that are summed, with their meaning."""
_MODELS = ("captioner", "judge", "member_")
_ROWS = "dagster/partition_row_count"

Labels = tuple[str, str, str]
"""Asset, group of its partitions (role set, recipe or domain), and model."""


@dataclass
class Latest:
    """What the latest materialization of a partition says.

    Attributes:
        group: the partition's group.
        rows: rows of the partition.
        reasons: rows without a text, by reason.
    """

    group: str
    rows: int
    reasons: Mapping[str, int]


@dataclass
class Totals:
    """What was recorded so far.

    Attributes:
        group_of: returns the group of an asset's partition.
        event: the last event that is counted.
        sums: each number of `COUNTED`, by labels.
        made: materializations by asset and group.
        last_made: when an asset was made last, seconds since the epoch.
        latest: what each partition holds, by asset and partition.
    """

    group_of: Callable[[str, str | None], str]
    event: int = 0
    sums: dict[str, Counter[Labels]] = field(default_factory=lambda: defaultdict(Counter))
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_made: dict[str, float] = field(default_factory=dict)
    latest: dict[tuple[str, str | None], Latest] = field(default_factory=dict)

    def add(self, events: Iterable[MadeEvent]) -> None:
        """Count further materializations."""
        for made in events:
            asset = made.key.to_user_string()
            group = self.group_of(asset, made.partition)
            labels = (asset, group, _model(made.metadata))
            for name in COUNTED:
                value = made.metadata.get(f"rolesynth/{name}")
                if isinstance(value, int | float) and value:
                    self.sums[name][labels] += value  # type: ignore[assignment]
            self.made[asset, group] += 1
            self.last_made[asset] = made.at
            self.latest[asset, made.partition] = _held(group, made.metadata)
            self.event = made.event


def _held(group: str, metadata: Mapping[str, object]) -> Latest:
    rows, reasons = metadata.get(_ROWS), metadata.get("rolesynth/reasons")
    counted = {
        str(reason): count
        for reason, count in (reasons.items() if isinstance(reasons, Mapping) else ())
        if isinstance(count, int)
    }
    return Latest(group, rows if isinstance(rows, int) else 0, counted)


def _model(metadata: Mapping[str, object]) -> str:
    """Return the model that was asked; several where a collective was."""
    names = [
        str(value)
        for label, value in sorted(metadata.items())
        if label.startswith(tuple(f"rolesynth/{kind}" for kind in _MODELS))
    ]
    return "several" if len(set(names)) > 1 else "".join(names[:1])
