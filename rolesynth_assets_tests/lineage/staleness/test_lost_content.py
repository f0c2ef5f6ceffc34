"""Content that Dagster remembers and that is gone: what was made from it, and why it is missing."""

from pathlib import Path

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import DATA_VERSION_TAG
from rolesynth_assets.lineage.run_process.dead_runs import BEGUN, KILLED
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.store.left_out import FORGOTTEN
from rolesynth_assets_tests.lineage.little_graphs import World, causes

SHARDS = dg.DynamicPartitionsDefinition(name="image_shard")


def in_files(folder: Path) -> dg.AssetsDefinition:
    """An asset of shards whose content is one file a shard."""

    @dg.asset(partitions_def=SHARDS, code_version="1")
    def up(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        file = folder / context.partition_key
        file.write_text("content")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(context.partition_key),
            metadata={"dagster/uri": str(file)},
        )

    return up


def test_a_fan_in_over_a_forgotten_and_a_lost_partition_becomes_fresh(
    world: World, tmp_path: Path
) -> None:
    """Else a fix would make it again and again."""
    assets = [in_files(tmp_path), world.asset("down", deps=["up"])]
    world.instance.add_dynamic_partitions("image_shard", ["a", "b", "c"])
    for key in ("a", "b", "c"):
        world.make(assets, "up", key)
    world.make(assets, "down")

    world.instance.report_runless_asset_event(
        dg.AssetMaterialization("up", partition="c", tags={DATA_VERSION_TAG: FORGOTTEN})
    )
    world.instance.delete_dynamic_partition("image_shard", "c")
    (tmp_path / "b").unlink()
    found = world.staleness(assets)
    assert found.state(Cell("up", "b")).status is Status.MISSING
    assert causes(found, "down") == ["partitions of up were added or taken away"]
    world.make(assets, "down")
    found = world.staleness(assets)
    assert causes(found, "down") == []
    assert found.state(Cell("up", "b")).status is Status.MISSING


def test_what_was_made_after_a_kill_and_is_lost_is_missing_for_its_loss(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "content"

    @dg.asset(code_version="1")
    def up() -> dg.MaterializeResult:
        if not file.exists():
            raise RuntimeError("killed")
        return dg.MaterializeResult(
            data_version=dg.DataVersion("1"), metadata={"dagster/uri": str(file)}
        )

    killed = world.make([up], "up")
    world.instance.add_run_tags(killed.run_id, {KILLED: "yes", BEGUN: "up"})
    assert causes(world.staleness([up]), "up") == [
        f"the run that was making it was killed (run {killed.run_id[:8]})"
    ]
    file.write_text("content")
    assert world.make([up], "up").success
    assert not causes(world.staleness([up]), "up")
    file.unlink()
    found = world.staleness([up])
    assert found.state(Cell("up")).status is Status.MISSING
    assert causes(found, "up") == [f"{file} was deleted"]


def test_a_check_that_was_never_evaluated_did_not_fail(world: World) -> None:
    @dg.asset(code_version="1", check_specs=[dg.AssetCheckSpec("good", asset="up", blocking=True)])
    def up():
        yield dg.MaterializeResult(data_version=dg.DataVersion("1"))
        raise RuntimeError("the process ends before the check")

    ended = world.make([up], "up")
    assert ended.get_asset_materialization_events()
    assert causes(world.staleness([up]), "up") == [
        "the run that made it ended before blocking check good"
    ]
    world.instance.add_run_tags(ended.run_id, {KILLED: "yes", BEGUN: "up"})
    assert causes(world.staleness([up]), "up") == [
        f"the run that was making it was killed (run {ended.run_id[:8]})"
    ]
