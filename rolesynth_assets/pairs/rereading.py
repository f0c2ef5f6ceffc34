"""Reading of stored answers of the judge by a changed parser, without asking it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.pairs.score_reply import (
    MAX_DETAIL,
    Judgement,
    ScoreReason,
    judge_reply,
    parse_score,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

_BY_TEXT = (
    ScoreReason.NO_SCORE,
    ScoreReason.AMBIGUOUS,
    ScoreReason.NOT_AN_INTEGER,
    ScoreReason.OUT_OF_RANGE,
    ScoreReason.TRUNCATED,
)
"""Reasons whose detail is the judge's answer."""
_ANSWERED = "reason IN ({})".format(", ".join(f"'{reason}'" for reason in _BY_TEXT))


def read_again(
    store: StoreReader, partition: Mapping[str, str], append: Callable[[pa.Table], None]
) -> int:
    """Read the answers of a partition again that had no score.

    Args:
        store: reads `scores`.
        partition: shard and role set.
        append: stores rows in the partition, except those of withdrawn images.

    Returns:
        The number of rows that have a score now.
    """
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import SCORES

    rows = [
        row | found._asdict() | {"reason": None, "detail": ""}
        for row in store.read("scores", partition, where=_ANSWERED).to_pylist()
        if len(row["detail"]) < MAX_DETAIL and isinstance(found := _read(row), Judgement)
    ]
    append(pa.Table.from_pylist(rows, schema=SCORES.schema))
    return len(rows)


def _read(row: Mapping[str, str]) -> Judgement | ScoreReason:
    if row["reason"] == ScoreReason.TRUNCATED:
        reply = ChatReply(row["score_id"], None, FailureReason.TRUNCATED, row["detail"])
        return judge_reply(reply)
    return parse_score(row["detail"])
