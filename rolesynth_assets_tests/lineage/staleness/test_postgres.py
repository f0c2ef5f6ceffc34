"""Staleness from PostgreSQL, in whatever time zone it runs, is what it is from SQLite."""

from collections.abc import Iterator

import dagster as dg
import pytest

from rolesynth_assets_tests.lineage.little_graphs import World, causes
from rolesynth_assets_tests.lineage.staleness import test_staleness_events as events
from rolesynth_assets_tests.loopback_postgres import loopback_postgres, programs

PROGRAMS = programs()
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module", params=["Asia/Tokyo", "America/New_York"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    """An instance on a server east or west of UTC; creating one takes seconds, so it is shared."""
    assert PROGRAMS is not None
    with loopback_postgres(PROGRAMS, request.param) as url:
        storage = {"storage": {"postgres": {"postgres_url": url}}}
        with dg.instance_for_test(overrides=storage) as made:
            yield made


@pytest.fixture
def world(instance: dg.DagsterInstance) -> Iterator[World]:
    yield World(instance)
    instance.run_storage.wipe()
    instance.event_log_storage.wipe()


def test_partition_is_as_old_as_it_is(world: World) -> None:
    assets = events.fan_in_over_shards(world)
    world.instance.delete_dynamic_partition("shards", "s0")
    world.make(assets, "all")
    world.instance.add_dynamic_partitions("shards", ["s0"])
    found = world.staleness(assets)
    assert causes(found, "images", "s0") == ["its partition was deleted and added again"]
    world.make(assets, "images", "s0")
    world.make(assets, "all")
    assert not list(world.staleness(assets).stale())


def test_wiped_asset_is_missing(world: World) -> None:
    events.test_wiped_upstream_is_needed_and_made_again_with_other_content_is_noticed(world)
