"""Reading of stored replies by changed rules, bounds or language, without asking a model."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.captions.captioning_run import columns_of
from rolesynth_assets.captions.lengths import CaptionPolicy
from rolesynth_assets.captions.parse import MAX_DETAIL_CHARS, Reading, parse_text
from rolesynth_assets.captions.reasons import CaptionReason

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

BATCH_ROWS = 10_000
"""Rows that are read and written at a time."""

_BY_TEXT = (
    CaptionReason.TOO_SHORT,
    CaptionReason.TOO_LONG,
    CaptionReason.PERSONA,
    CaptionReason.NOT_TEXT,
    CaptionReason.LINK,
    CaptionReason.ORDER,
)
"""Reasons whose detail ends with the text, in rows from before replies were stored."""


def read_again(
    store: "StoreReader",
    partition: Mapping[str, str],
    policy: CaptionPolicy,
    reading: Reading,
    append: "Callable[[pa.Table], None]",
) -> int:
    """Read the replies of a partition again whose rows were made by other rules.

    A row without any words of the model, such as a failed call, stays as it is.

    Args:
        store: reads `captions`.
        partition: shard and role set.
        policy: bounds of the length kinds.
        reading: language, and cleaning rules that are switched off.
        append: stores rows in the partition, except those of withdrawn images.

    Returns:
        The number of rows whose text or reason changed.
    """
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import CAPTIONS

    read_by = {str(rule.kind): reading.describe(rule) for rule in policy}
    known = store.read("captions", partition, ["length", "read_by"]).to_pylist()
    if all(row["read_by"] == read_by.get(row["length"]) for row in known):
        return 0
    changed = 0
    for batch in store.batches("captions", partition, batch_rows=BATCH_ROWS):
        rows: list[dict[str, object]] = []
        for row in batch.to_pylist():
            if row["read_by"] == read_by.get(row["length"]):
                continue
            new = row | _read(row, policy, reading) | {"read_by": read_by.get(row["length"])}
            changed += (new["text"], new["reason"]) != (row["text"], row["reason"])
            rows.append(new)
        append(pa.Table.from_pylist(rows, schema=CAPTIONS.schema))
    return changed


def _read(row: Mapping[str, object], policy: CaptionPolicy, reading: Reading) -> dict[str, object]:
    """Return the columns that the model's words give; none if the row has no words."""
    said = _words_of(row)
    if said is None:
        return {}
    rule = policy[str(row["length"])]
    return columns_of(parse_text(said, rule, str(row["role"]), reading))


def _words_of(row: Mapping[str, object]) -> str | None:
    """Return what the model wrote, as far as the row has it."""
    for column in ("reply", "text"):
        if row[column] is not None:
            return str(row[column])
    detail = str(row["detail"])
    if row["reason"] in _BY_TEXT and len(detail) < MAX_DETAIL_CHARS:
        return detail.partition(": ")[2] or None
    return None
