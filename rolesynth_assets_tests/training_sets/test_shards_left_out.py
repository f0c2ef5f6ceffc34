"""Pairs of a shard that the manifest does not list: no selection, pin or trace contains them."""

from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.pairs.pair_manifest import manifest_rows
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.training_sets.pins import (
    chosen_captions,
    first_pinned_rows,
    pin_training_set,
    pinned_rows,
    read_pins,
    write_pin,
)
from rolesynth_assets.training_sets.rows import (
    selected_pairs,
    trained_selection,
    training_set,
    training_set_row,
)
from rolesynth_assets.training_sets.shards_left_out import shards_left_out
from rolesynth_assets_tests.training_sets.test_own_cut import SCORES, frame, recipe, stored

CUTS = [
    {},
    {"cut": "all"},
    {"cut": "random"},
    {"without_roles": ["Bee"]},
    {"without_roles": ["Bee"], "cut": "random"},
    {"filter": {"centred": True, "floor_per_image": 1}},
]


@pytest.mark.parametrize("changes", CUTS)
def test_what_the_manifest_does_not_list_is_not_trained_on(tmp_path: Path, changes) -> None:
    pairs, mine = frame(SCORES), recipe(**changes)
    store, small = stored(tmp_path, pairs), SmallTables(tmp_path)
    manifest = manifest_rows(store, "r3", ["s0"])
    version = store.version("pairs")
    left_out = shards_left_out(store, manifest, "r3", version)
    assert left_out == ("s1",)

    chosen = selected_pairs(store, mine, version, left_out)
    alone = stored(tmp_path / "alone", pairs.filter(pl.col("shard") == "s0"))
    assert chosen.equals(selected_pairs(alone, mine, alone.version("pairs")))
    assert set(chosen["shard"]) == {"s0"}

    row = training_set_row(mine, chosen, training_set(store, mine, chosen), version)
    small.replace("training_sets", {"recipe": mine.name}, row)
    digest = row["digest"][0]
    write_pin(
        store,
        small,
        pin_training_set(store, mine, chosen, digest, version, "run", left_out),
    )
    (pin,) = read_pins(small)
    assert pin.left_out == ("s1",)
    assert selected_pairs(store, mine, *trained_selection(small, mine)).equals(chosen)
    expected = sorted(chosen["caption_id"])
    assert pinned_rows(store, pin)["caption_id"].to_list() == expected
    assert first_pinned_rows(store, pin, 2)["caption_id"].to_list() == expected[:2]
    assert chosen_captions(pin, pairs.to_dicts()) == set(expected)


def test_where_all_shards_are_listed_nothing_is_left_out(tmp_path: Path) -> None:
    store = stored(tmp_path, frame(SCORES))
    assert not shards_left_out(store, manifest_rows(store, "r3"), "r3", store.version("pairs"))


def test_a_recipe_without_a_training_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'mine' has no training set: materialize"):
        trained_selection(SmallTables(tmp_path), recipe())
