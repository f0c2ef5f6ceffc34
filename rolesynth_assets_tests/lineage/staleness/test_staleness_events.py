"""Staleness after runs that failed, keys that went and came back, wiped assets, failed checks."""

from datetime import timedelta

import dagster as dg
import sqlalchemy as sql
from dagster._core.storage.event_log.schema import (
    AssetEventTagsTable,
    DynamicPartitionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets_tests.lineage.little_graphs import World, causes

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
SHARDS = dg.DynamicPartitionsDefinition(name="shards")
BY_SHARD = dg.MultiPartitionsDefinition({"shard": SHARDS, "letter": LETTERS})
ALL = dg.AllPartitionMapping()


def status(world: World, assets: list, cell: str) -> Status:
    asset, _, partition = cell.partition(":")
    return world.staleness(assets).state(Cell(asset, partition or None)).status


def test_run_that_failed_half_way_has_made_what_it_recorded(world: World) -> None:
    broken = [True]

    @dg.asset(
        name="down",
        partitions_def=LETTERS,
        deps=["up"],
        code_version="1",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def down(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys:
            if key == "b" and broken[0]:
                raise RuntimeError("half-way")
            context.log_event(
                dg.AssetMaterialization(
                    "down", partition=key, tags={"dagster/data_version": f"content of {key}"}
                )
            )

    assets = [world.asset("up", LETTERS), down]
    world.make(assets, "up", "a", through="c")
    assert not world.make(assets, "down", "a", through="c").success
    assert world.staleness(assets).counts()["down"] == {Status.FRESH: 1, Status.MISSING: 2}
    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    assert causes(world.staleness(assets), "down", "a") == ["up[a] changed"]
    broken[0] = False
    world.make(assets, "down", "a", through="c")
    assert world.staleness(assets).counts()["down"] == {Status.FRESH: 3}
    broken[0] = True
    world.contents["up", "a"] = "2"
    world.make(assets, "up", "a", through="c")
    assert not world.make(assets, "down", "a", through="c").success
    assert {str(c) for c, _ in world.staleness(assets).stale()} == {"down[b]", "down[c]"}


def test_run_that_failed_over_good_content_leaves_it_fresh(world: World) -> None:
    fail = [False]

    @dg.asset(partitions_def=LETTERS)
    def only() -> None:
        if fail[0]:
            raise RuntimeError("later")

    world.make([only], "only", "a")
    fail[0] = True
    assert not world.make([only], "only", "a").success
    assert status(world, [only], "only:a") is Status.FRESH


def fan_in_over_shards(world: World) -> list:
    assets = [
        world.asset("images", SHARDS),
        world.asset("all", deps=[dg.AssetDep("images", partition_mapping=ALL)]),
    ]
    world.instance.add_dynamic_partitions("shards", ["s0", "s1"])
    for shard in ("s0", "s1"):
        world.make(assets, "images", shard)
    world.make(assets, "all")
    assert not list(world.staleness(assets).stale())
    return assets


def added_later(world: World, shard: str, days: float = 1) -> None:
    """Add a dynamic partition as if some days had passed since all that was made."""
    world.instance.add_dynamic_partitions("shards", [shard])
    storage = world.instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    table = DynamicPartitionsTable
    with storage.index_connection() as connection:
        here = table.c.partition == shard
        added = connection.execute(sql.select(table.c.create_timestamp).where(here)).scalar_one()
        later = added + timedelta(days=days)
        connection.execute(table.update().where(here).values(create_timestamp=later))


def test_deleted_partition_makes_stale_what_held_it_until_it_is_made_anew(world: World) -> None:
    assets = fan_in_over_shards(world)
    world.instance.delete_dynamic_partition("shards", "s0")
    assert world.dagster_says(assets, Cell("all")) is Status.FRESH
    found = world.staleness(assets)
    assert causes(found, "all") == ["partitions of images were added or taken away"]
    assert list(found.states["images"]) == ["s1"]
    world.make(assets, "all")
    assert not list(world.staleness(assets).stale())


def test_partition_added_again_is_stale_though_its_old_record_stands(world: World) -> None:
    assets = fan_in_over_shards(world)
    world.instance.delete_dynamic_partition("shards", "s0")
    world.make(assets, "all")
    added_later(world, "s0")
    assert world.dagster_says(assets, Cell("images", "s0")) is Status.FRESH
    found = world.staleness(assets)
    assert causes(found, "images", "s0") == ["its partition was deleted and added again"]
    assert causes(found, "all") == [
        "partitions of images were added or taken away",
        "upstream images[s0] is stale",
    ]


def move_the_clock(world: World, first: int, days: float) -> None:
    """Let the events from `first` on bear the times of a clock that was wrong by some days."""
    storage = world.instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    columns = [
        (SqlEventLogStorageTable, "id", "timestamp"),
        (AssetEventTagsTable, "event_id", "event_timestamp"),
    ]
    with storage.index_connection() as connection:
        for table, number, time in columns:
            found = sql.select(table.c.id, table.c[time]).where(table.c[number] >= first)
            for row, at in connection.execute(found).fetchall():
                moved = {time: at + timedelta(days=days)}
                connection.execute(table.update().where(table.c.id == row).values(moved))


def next_event(world: World) -> int:
    storage = world.instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.index_connection() as connection:
        last = sql.select(sql.func.max(SqlEventLogStorageTable.c.id))
        return (connection.execute(last).scalar_one() or 0) + 1


def test_a_clock_set_back_after_a_partition_was_added_invents_no_cause(world: World) -> None:
    assets = [world.asset("images", SHARDS), world.asset("captions", SHARDS, ["images"])]
    first = next_event(world)
    added_later(world, "s0")
    world.make(assets, "images", "s0")
    move_the_clock(world, first, 2)  # the clock was two days ahead until here
    world.make(assets, "captions", "s0")
    found = world.staleness(assets)
    assert causes(found, "captions", "s0") == []
    assert not list(found.stale())


def test_a_clock_set_back_after_a_wipe_hides_nothing_that_was_made_since(world: World) -> None:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
    world.instance.wipe_assets([dg.AssetKey("up")])
    first = next_event(world)
    world.make(assets, "up", "a")
    move_the_clock(world, first, -2)
    assert status(world, assets, "up:a") is Status.FRESH
    assert status(world, assets, "down:a") is Status.FRESH


def test_wiped_upstream_is_needed_and_made_again_with_other_content_is_noticed(
    world: World,
) -> None:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
    world.instance.wipe_assets([dg.AssetKey("up")])
    found = world.staleness(assets)
    assert causes(found, "down", "a") == ["up was wiped", "upstream up is missing"]
    assert found.needed == {Cell("up", "a")}
    assert found.state(Cell("down", "a")).waits
    world.make(assets, "up", "a")
    assert status(world, assets, "down:a") is Status.FRESH  # the same content as before
    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    assert status(world, assets, "down:a") is Status.STALE


def test_content_that_failed_a_blocking_check_is_stale_and_so_is_what_hangs_on_it(
    world: World,
) -> None:
    passed = [False]

    @dg.asset(
        partitions_def=LETTERS,
        check_specs=[dg.AssetCheckSpec("good", asset="up", blocking=True, partitions_def=LETTERS)],
    )
    def up() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            data_version=dg.DataVersion("0"),
            check_results=[dg.AssetCheckResult(passed=passed[0], check_name="good")],
        )

    assets = [up, world.asset("down", LETTERS, ["up"])]
    passed[0] = True
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
    passed[0] = False
    world.make(assets, "up", "a")
    found = world.staleness(assets)
    assert causes(found, "up", "a") == ["blocking check good failed"]
    assert causes(found, "down", "a") == ["upstream up[a] did not pass a blocking check"]


def test_content_that_was_reported_by_hand_counts(world: World) -> None:
    """As a withdrawal does: the partition's tags with another data version, without a run."""
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
        world.make(assets, asset, "b")
    for asset, expected in (("up", {"down[a]"}), ("down", {"down[a]"})):
        record = world.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert record and record.asset_materialization
        tags = record.asset_materialization.tags or {}
        world.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset, partition="a", tags={**tags, "dagster/data_version": f"less {asset}"}
            )
        )
        assert {str(cell) for cell, _ in world.staleness(assets).stale()} == expected
