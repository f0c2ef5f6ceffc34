"""Filters and orders against plain Python over the stored rows."""

from statistics import mean, pstdev
from typing import Any

import polars as pl
import pytest

from rolesynth_assets.browse.captions.cards import cards
from rolesynth_assets.browse.captions.columns import CaptionCache, CaptionColumns, read_columns
from rolesynth_assets.browse.captions.select import disagreement, select
from rolesynth_assets.browse.captions.view import Decision, Order, View
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


@pytest.fixture
def columns(world: StoredWorld) -> CaptionColumns:
    return read_columns(world.store, ROLE_SET)


def stored(world: StoredWorld) -> list[dict[str, Any]]:
    pairs = {(r["shard"], r["caption_id"]): r for r in world.store.read("pairs").to_pylist()}
    return [
        {**row, **pairs[row["shard"], row["caption_id"]]}
        for row in world.store.read("captions").to_pylist()
    ]


def test_each_caption_has_its_own_texts_score_and_decision(
    world: StoredWorld, columns: CaptionColumns
) -> None:
    by_id = {row["caption_id"]: row for row in stored(world)}
    scores = {row["caption_id"]: row for row in world.store.read("scores").to_pylist()}
    shown = [
        caption for card in cards(world.store, columns, columns.frame) for caption in card.captions
    ]
    assert len(shown) == len(by_id) == 40
    for caption in shown:
        row = by_id[caption.caption_id]
        assert caption.text == row["text"]
        assert caption.score == row["score"]
        assert caption.decision == ("kept" if row["kept"] else "dropped")
        assert caption.judged["score_id"] == scores[caption.caption_id]["score_id"]


def test_places_are_right_after_rows_were_deleted(world: StoredWorld) -> None:
    gone = world.images["s0"][2]
    for table in ("scores", "captions"):
        world.store.remove(table, f"image_id = '{gone}'")
    columns = read_columns(world.store, ROLE_SET)
    texts = {row["caption_id"]: row["text"] for row in stored(world)}
    shown = [c for card in cards(world.store, columns, columns.frame) for c in card.captions]
    assert len(shown) == 36
    assert all(caption.text == texts[caption.caption_id] for caption in shown)


@pytest.mark.parametrize(
    "view",
    [
        View(role="Poet"),
        View(length="short", shard="s1"),
        View(decision=Decision.KEPT),
        View(low=30, high=60),
        View(reason="below_cut", role="Observer"),
    ],
)
def test_filters_let_through_what_they_name(
    world: StoredWorld, columns: CaptionColumns, view: View
) -> None:
    def passes(row: dict[str, Any]) -> bool:
        equal = all(
            getattr(view, name) in ("", row[name]) for name in ("role", "length", "shard", "reason")
        )
        kept = view.decision in ("", "kept" if row["kept"] else "dropped")
        return equal and kept and (view.low or 0) <= row["score"] <= (view.high or 100)

    wanted = {row["caption_id"] for row in stored(world) if passes(row)}
    found = select(columns.frame, view)
    assert wanted
    assert set(found.rows["caption_id"]) == wanted
    assert found.captions == len(wanted)


def test_disagreement_is_the_spread_between_roles(
    world: StoredWorld, columns: CaptionColumns
) -> None:
    found = dict(disagreement(columns.frame).with_columns(pl.col("image_id").cast(str)).iter_rows())
    rows = stored(world)
    for image, apart in found.items():
        by_length = [
            [r["score"] for r in rows if r["image_id"] == image and r["length"] == length]
            for length in ("long", "short")
        ]
        assert apart == pytest.approx(mean(map(pstdev, by_length)))
    order = select(columns.frame, View(sort=Order.DISAGREEMENT)).rows["image_id"].cast(str)
    spread = [found[image] for image in dict.fromkeys(order)]
    assert spread == sorted(spread, reverse=True)


def test_pages_hold_every_image_once_and_end(columns: CaptionColumns) -> None:
    seen: list[str] = []
    for page in range(1, 5):
        chosen = select(columns.frame, View(page=page, sort=Order.LOWEST_SCORE), per_page=3)
        assert chosen.pages == 4
        seen += dict.fromkeys(chosen.rows["image_id"].cast(str))
    assert len(seen) == len(set(seen)) == 10
    beyond = select(columns.frame, View(page=99, sort=Order.LOWEST_SCORE), per_page=3)
    assert beyond.page == 4
    assert not beyond.rows.is_empty()


def test_nearest_to_the_cut_comes_first(columns: CaptionColumns) -> None:
    cuts = [("long", 50), ("short", 20)]
    rows = select(columns.frame, View(sort=Order.NEAR_CUT), cuts=cuts).rows
    far = (
        rows.with_columns(
            (pl.col("score") - pl.when(pl.col("length") == "long").then(50).otherwise(20))
            .abs()
            .alias("far")
        )
        .group_by("place")
        .agg(pl.col("far").min())
        .sort("place")["far"]
    )
    assert far.is_sorted()


def test_columns_are_read_again_when_a_table_changed(world: StoredWorld) -> None:
    cache = CaptionCache(world.store)
    first = cache.columns(ROLE_SET)
    assert cache.columns(ROLE_SET) is first
    world.store.remove("captions", f"image_id = '{world.images['s0'][0]}'")
    assert cache.columns(ROLE_SET).frame.height == first.frame.height - 4


def test_a_role_set_that_was_never_judged_is_shown_as_open(world: StoredWorld) -> None:
    for table in ("pairs", "scores"):
        world.store.remove(table, "true")
    frame = read_columns(world.store, ROLE_SET).frame
    assert set(frame["decision"].cast(str)) == {"open"}
    assert frame["score"].null_count() == frame.height == 40
