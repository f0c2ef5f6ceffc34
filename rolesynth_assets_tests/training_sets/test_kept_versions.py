from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.maintenance import versions
from rolesynth_assets.training_sets.kept_versions import keep_pinned, pinned_versions
from rolesynth_assets.training_sets.pins import pinned_rows
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld, recipe


def test_a_clean_up_leaves_what_is_pinned(world: StoredWorld) -> None:
    pin = world.train(recipe(), "aa" * 32)
    then = pinned_rows(world.store, pin)
    world.caption(model="another", run_id="later")
    for table, version in pin.versions.items():
        assert world.store.forget_versions(table) >= 0
        assert set(world.store.versions(table)) == {version, world.store.version(table)}
    assert pinned_rows(world.store, pin).equals(then)


def test_what_is_no_longer_pinned_is_released(world: StoredWorld, monkeypatch) -> None:
    pin = world.train(recipe(), "aa" * 32)
    world.caption(model="another", run_id="later")
    for table in ("training_set_pins", "training_sets"):
        world.small.replace(table, {"recipe": "mine"}, world.small.read(table).clear())
    keep_pinned(world.store, world.small)
    world.store.forget_versions("pairs")
    assert pin.versions["pairs"] in world.store.versions("pairs")  # it may be in the making
    monkeypatch.setattr(versions, "PINNED_SOON", timedelta(0))
    keep_pinned(world.store, world.small)
    world.store.forget_versions("pairs")
    assert world.store.versions("pairs") == [world.store.version("pairs")]
    with pytest.raises(MissingVersionError):
        pinned_rows(world.store, pin)


def test_pins_of_before_there_were_kept_versions_keep_theirs(world: StoredWorld) -> None:
    pin = world.train(recipe(), "aa" * 32)
    version = pin.versions["pairs"]
    manifest = {
        "role_set": ROLE_SET,
        "shard": "s0",
        "pairs_digest": "d",
        "pairs_version": version + 1,
        "kept": 1,
        "candidates": 1,
        "images": 1,
    }
    world.caption(model="another", run_id="later")
    world.small.replace("manifests", {"role_set": ROLE_SET}, pl.DataFrame([manifest]))
    for table in pin.versions:
        world.store.release_versions(table, (), now=True)
    keep_pinned(world.store, world.small)
    assert pinned_versions(world.small)["pairs"] == {version, version + 1}
    world.caption(model="a third", run_id="last")
    world.store.forget_versions("pairs")
    assert {version, version + 1} < set(world.store.versions("pairs"))


def test_a_version_that_is_gone_cannot_be_kept(world: StoredWorld) -> None:
    world.caption(model="another", run_id="later")
    world.store.forget_versions("captions")
    with pytest.raises(MissingVersionError, match="no version 1 to keep"):
        world.store.keep_version("captions", 1)
    world.store.keep_version("captions", 0)  # of a table that was never written to
