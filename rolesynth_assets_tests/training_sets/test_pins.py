from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.clip.recipe import Cut, Recipe
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.training_sets.pins import (
    PINNED_TABLES,
    Pin,
    first_pinned_rows,
    pin_training_set,
    pinned_rows,
    read_pins,
    trained_on,
    write_pin,
)
from rolesynth_assets.training_sets.rows import selected_pairs
from rolesynth_assets.training_sets.select import EmptySelectionError, select_rows
from rolesynth_assets_tests.property_profiles import examples


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "mine",
            "description": "Mine.",
            "role_set": "r5",
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 2, "batch_images": 16},
            **changes,
        }
    )


def frame(rows: Sequence[tuple[str, str, str, int | None, bool]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "caption_id": caption,
                "shard": shard,
                "role_set": "r5",
                "image_id": f"i-{caption}",
                "role": "A",
                "length": length,
                "text": f"text {caption}",
                "score": score,
                "kept": kept,
                "reason": None if kept else "below_cut",
            }
            for caption, shard, length, score, kept in rows
        ],
        schema_overrides={"score": pl.Int32, "reason": pl.String},
    )


def store_of(folder: Path, rows: pl.DataFrame) -> Store:
    store = Store(folder)
    for (shard,), of_shard in rows.group_by("shard"):
        where = {"shard": str(shard), "role_set": "r5"}
        store.replace("pairs", where, of_shard.select(PAIRS.schema.names).to_arrow())
    return store


@st.composite
def tables(draw) -> list[tuple[str, str, str, int | None, bool]]:
    rows = []
    for number in range(draw(st.integers(1, 14))):
        length = draw(st.sampled_from(["long", "short"]))
        score = draw(st.one_of(st.none(), st.integers(1, 100)))
        for shard in draw(st.sampled_from([("s0",), ("s0", "s1")])):
            kept = score is not None and draw(st.booleans())
            rows.append((f"c{number}", shard, length, score, kept))
    return rows


@examples(120)
@given(
    rows=tables(),
    cut=st.sampled_from(list(Cut)),
    lengths=st.sampled_from([("long",), ("short",), ("long", "short")]),
    seed=st.integers(0, 9),
)
def test_a_pin_knows_of_each_caption_alone_what_the_whole_selection_says(
    rows, cut, lengths, seed
) -> None:
    table, mine = frame(rows), recipe(cut=cut, lengths=lengths, draw_seed=seed)
    try:
        chosen = select_rows(table, mine)
    except EmptySelectionError:
        return
    pin = pin_training_set(_NoTables(), mine, chosen, "d", 3, "run")  # type: ignore[arg-type]
    told = {
        str(caption)
        for (caption,), same in table.group_by("caption_id")
        if trained_on(pin, same.to_dicts())
    }
    assert told == set(chosen["caption_id"])


class _NoTables:
    def version(self, table: str) -> int:
        return 7


ROWS = [
    (f"c{n:02}", f"s{n % 2}", ("long", "short")[n % 3 == 0], 50 + n, n % 4 == 0) for n in range(24)
]


@pytest.mark.parametrize("cut", list(Cut))
def test_pinned_rows_are_those_selected_and_stay_so(tmp_path: Path, cut: Cut) -> None:
    store, mine = store_of(tmp_path, frame(ROWS)), recipe(cut=cut)
    version = store.version("pairs")
    chosen = selected_pairs(store, mine, version)
    pin = pin_training_set(store, mine, chosen, "d", version, "run")
    store.remove("pairs", "caption_id < 'c20'")
    rows = pinned_rows(store, pin)
    assert rows["caption_id"].to_list() == sorted(chosen["caption_id"])
    assert rows["image_id"].to_list() == [f"i-{c}" for c in rows["caption_id"].to_list()]
    assert pinned_rows(store, pin, store.version("pairs")).height < rows.height
    assert sum(pin.sizes.values()) == rows.height


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("first", ["", "f"])
def test_first_rows_are_the_first_of_all_rows(tmp_path: Path, cut: Cut, first: str) -> None:
    """Also where the ids are not spread evenly, so that too few lie below the expected one."""
    keys = [first + digest(n) for n in range(200)]
    rows = [(key, "s0", "long", 50 + n % 40, n % 3 == 0) for n, key in enumerate(keys)]
    store, mine = store_of(tmp_path, frame(rows)), recipe(cut=cut)
    version = store.version("pairs")
    pin = pin_training_set(store, mine, selected_pairs(store, mine, version), "d", version, "run")
    for limit in (1, 7, 66, 300):
        whole = pinned_rows(store, pin)
        assert first_pinned_rows(store, pin, limit).equals(whole.head(limit))


def test_pins_are_read_back_and_one_content_has_one(tmp_path: Path) -> None:
    small, store = SmallTables(tmp_path), store_of(tmp_path, frame(ROWS))
    mine = recipe(cut="random", lengths=["short"])
    version = store.version("pairs")
    chosen = selected_pairs(store, mine, version)
    made = [pin_training_set(store, mine, chosen, "d1", version, run) for run in ("a", "b")]
    for pin in made:
        write_pin(store, small, pin)
    write_pin(store, small, pin_training_set(store, mine, chosen, "d2", version, "c"))
    first, second = read_pins(small)
    assert first == made[1]
    assert isinstance(first, Pin) and first.run_id == "b"
    assert first.versions == {t: version if t == "pairs" else 0 for t in PINNED_TABLES}
    assert set(first.draw_limits) == {"short"}
    assert second.digest == "d2"
