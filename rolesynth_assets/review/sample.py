"""Which captions are reviewed: a random sample of kept and of dropped ones, alternating."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from rolesynth_assets.store.digests import digest_each

if TYPE_CHECKING:
    import polars as pl

STRATA = ("kept", "dropped")


def review_order(frame: pl.DataFrame) -> list[int]:
    """Return the order in which captions are reviewed, the same for every reviewer.

    Each stratum is shuffled by a hash of the caption's id, and the strata alternate, so the first n
    captions of this order are a random sample of each.

    Args:
        frame: ``caption_id`` and ``decision`` of the captions.

    Returns:
        Places in the frame; captions that are neither kept nor dropped are left out.
    """
    import polars as pl

    numbered = frame.select("caption_id", pl.col("decision").cast(pl.String)).with_row_index("at")
    orders = []
    for stratum in STRATA:
        rows = numbered.filter(pl.col("decision") == stratum)
        lots = pl.Series("lot", digest_each(("review",), rows["caption_id"]), dtype=pl.String)
        orders.append(rows.with_columns(lots).sort("lot", "at")["at"].to_list())
    return [at for at in chain.from_iterable(zip_longest(*orders)) if at is not None]


def next_place(frame: pl.DataFrame, order: list[int], answered: Collection[str]) -> int | None:
    """Return the first place of the order whose caption is not answered yet; None at the end."""
    done = set(answered)
    ids = frame["caption_id"]
    return next((at for at in order if ids[at] not in done), None)
