"""What is reviewed: a random sample of kept and of dropped captions or problems, alternating."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from rolesynth_assets.store.digests import digest_each

if TYPE_CHECKING:
    import polars as pl

STRATA = ("kept", "dropped")


def review_order(frame: pl.DataFrame, key: str = "caption_id") -> list[int]:
    """Return the order in which rows are reviewed, the same for every reviewer.

    Each stratum is shuffled by a hash of the row's id, and the strata alternate, so the first n
    rows of this order are a random sample of each.

    Args:
        frame: id and ``decision`` of the rows.
        key: column of the id.

    Returns:
        Places in the frame; rows that are neither kept nor dropped are left out.
    """
    import polars as pl

    numbered = frame.select(key, pl.col("decision").cast(pl.String)).with_row_index("at")
    orders = []
    for stratum in STRATA:
        rows = numbered.filter(pl.col("decision") == stratum)
        lots = pl.Series("lot", digest_each(("review",), rows[key]), dtype=pl.String)
        orders.append(rows.with_columns(lots).sort("lot", "at")["at"].to_list())
    return [at for at in chain.from_iterable(zip_longest(*orders)) if at is not None]


def next_place(
    frame: pl.DataFrame, order: list[int], answered: Collection[str], key: str = "caption_id"
) -> int | None:
    """Return the first place of the order whose row is not answered yet; None at the end."""
    done = set(answered)
    ids = frame[key]
    return next((at for at in order if ids[at] not in done), None)
