"""Which images and captions a page shows: filters, order and place applied to the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.browse.captions.columns import FILTERS
from rolesynth_assets.browse.captions.view import PER_PAGE, Order, SearchBy, View
from rolesynth_assets.store.left_out import EXCLUDED

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Selection:
    """The captions of one page.

    Attributes:
        captions: captions that match, on all pages.
        images: images that have one of them.
        pages: number of pages, at least 1.
        page: number of this page; a page after the last is the last.
        rows: the captions of this page, image after image.
    """

    captions: int
    images: int
    pages: int
    page: int
    rows: pl.DataFrame


def matching(frame: pl.DataFrame, view: View, hits: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the captions that a view's filters let through.

    Args:
        frame: columns of a role set (`columns.CaptionColumns`).
        view: the filters.
        hits: what a search found: ``caption_id`` and ``relevance``; None where nothing was asked.
    """
    import polars as pl

    tests = [pl.col(name) == value for name in FILTERS if (value := getattr(view, name))]
    if view.low is not None:
        tests.append(pl.col("score") >= view.low)
    if view.high is not None:
        tests.append(pl.col("score") <= view.high)
    found = frame.filter(*tests) if tests else frame
    if hits is not None:
        if view.searched is not SearchBy.WORDS and view.reason != EXCLUDED:
            found = found.filter(pl.col("reason").cast(pl.String).ne_missing(EXCLUDED))
        return found.join(hits, on="caption_id", how="inner", maintain_order="left")
    return found


def select(
    frame: pl.DataFrame,
    view: View,
    hits: pl.DataFrame | None = None,
    cuts: Sequence[tuple[str, int]] = (),
    per_page: int = PER_PAGE,
) -> Selection:
    """Return one page of the captions that match, sorted by image.

    Args:
        frame: columns of a role set.
        view: filters, order and page.
        hits: what a search found, if one was asked for.
        cuts: lowest kept score by length kind; "all" is for both.
        per_page: images on a page.
    """
    found = matching(frame, view, hits)
    images = _ordered(frame, found, view.order, cuts)
    pages = max(1, -(-images.height // per_page))
    page = min(view.page, pages)
    shown = images.slice((page - 1) * per_page, per_page).with_row_index("place")
    rows = found.join(shown.select("image_id", "place"), on="image_id", how="inner")
    within = ["place", "relevance"] if "relevance" in rows.columns else ["place"]
    rows = rows.sort(
        *within,
        "role",
        "length",
        "row",
        descending=[n == "relevance" for n in within] + [False] * 3,
    )
    return Selection(found.height, images.height, pages, page, rows)


def disagreement(frame: pl.DataFrame) -> pl.DataFrame:
    """Return how far the scores of an image's roles lie apart.

    Returns:
        ``image_id`` and ``apart``: the standard deviation of the scores of one length kind, the
        mean over the length kinds.
    """
    import polars as pl

    by_length = frame.group_by("image_id", "length").agg(pl.col("score").std(ddof=0).alias("apart"))
    return by_length.group_by("image_id").agg(pl.col("apart").mean())


def _ordered(
    frame: pl.DataFrame, found: pl.DataFrame, order: Order, cuts: Sequence[tuple[str, int]]
) -> pl.DataFrame:
    """Return the images of the captions found, in order."""
    import polars as pl

    if order is Order.DISAGREEMENT:
        images = found.group_by("image_id").agg(pl.col("row").min())
        images = images.join(disagreement(frame), on="image_id", how="left")
        return images.sort("apart", "row", descending=[True, False], nulls_last=True)
    key, down = _key(found, order, cuts)
    images = found.group_by("image_id").agg(pl.col("row").min(), key.alias("key"))
    return images.sort("key", "row", descending=[down, False], nulls_last=True)


def _key(
    found: pl.DataFrame, order: Order, cuts: Sequence[tuple[str, int]]
) -> tuple[pl.Expr, bool]:
    """Return by what an image is sorted, and whether the largest comes first."""
    import polars as pl

    if order is Order.BEST_MATCH and "relevance" in found.columns:
        return pl.col("relevance").max(), True
    if order is Order.HIGHEST_SCORE:
        return pl.col("score").max(), True
    if order is Order.LOWEST_SCORE:
        return pl.col("score").min(), False
    if order is Order.NEAR_CUT and cuts:
        cut = pl.lit(None, dtype=pl.Int32)
        for length, score in cuts:
            applies = pl.lit(True) if length == "all" else pl.col("length") == length
            cut = pl.when(applies).then(pl.lit(score, dtype=pl.Int32)).otherwise(cut)
        return (pl.col("score") - cut).abs().min(), False
    return pl.col("row").min(), False
