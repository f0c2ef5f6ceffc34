from __future__ import annotations

from datetime import timedelta

from rolesynth_assets.reports import table_upkeep
from rolesynth_assets.reports.table_upkeep import (
    few_small_files,
    few_useless_versions,
    look_ups_indexed,
    state_rows,
)
from rolesynth_assets.store.lance.maintenance import state, versions
from rolesynth_assets.training_sets.pins import pinned_rows
from rolesynth_assets.training_sets.table_upkeep import maintain_tables, tables_due
from rolesynth_assets_tests.lineage.stored_world import StoredWorld, recipe


def test_nothing_is_due_of_a_small_root(world: StoredWorld) -> None:
    assert tables_due(world.store, world.small) == []
    before = {table: world.store.version(table) for table in ("captions", "pairs")}
    upkeep = maintain_tables(world.store, world.small, lambda *_: None)
    assert (upkeep.done, upkeep.freed) == ({}, 0)
    assert before == {table: world.store.version(table) for table in before}
    rows = state_rows(upkeep.after)
    names = rows["table"].to_list()
    assert names[:6] == ["images", "roles", "captions", "scores", "pairs", "cutoffs"]
    assert all(
        check(upkeep.after).passed
        for check in (few_small_files, look_ups_indexed, few_useless_versions)
    )
    assert few_small_files(()).passed and look_ups_indexed(()).passed


def test_pinned_versions_outlive_the_upkeep(world: StoredWorld, monkeypatch) -> None:
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))
    for place in (state, table_upkeep):
        monkeypatch.setattr(place, "SPARE_VERSIONS", 0)
    pin = world.train(recipe(), "aa" * 32)
    rows = pinned_rows(world.store, pin)
    world.caption(model="another", run_id="later")
    world.caption(model="a third", run_id="last")
    assert "pairs" in tables_due(world.store, world.small)
    found = maintain_tables(world.store, world.small, lambda *_: None)
    assert found.done["pairs"] == ["remove versions"]
    assert not few_useless_versions(found.before).passed
    assert few_useless_versions(found.after).passed
    assert found.freed > 0
    now = world.store.version("pairs")
    assert set(world.store.versions("pairs")) == {pin.versions["pairs"], now}
    assert pinned_rows(world.store, pin).equals(rows)
    assert tables_due(world.store, world.small) == []
