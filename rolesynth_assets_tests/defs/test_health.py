import dagster as dg

from rolesynth_assets.defs.health import partition_health
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


def test_counts_of_every_asset_are_numbers_that_can_be_drawn() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        assets = [
            world.asset("up", LETTERS),
            world.asset("down", LETTERS, ["up"]),
            partition_health,
        ]
        resources = {
            "code_location": CodeLocation(lambda: listed),
            "platform": Platform(data_root=instance.root_directory),
        }
        listed = dg.Definitions(assets=assets, resources=resources)
        for key in ("a", "b"):
            world.make(assets, "up", key, resources=resources)
            world.make(assets, "down", key, resources=resources)
        world.contents["up", "b"] = "1"
        world.make(assets, "up", "b", resources=resources)
        done = world.make(assets, "partition_health", resources=resources)
        assert done.success
        (event,) = done.get_asset_materialization_events()
        metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    numbers = {name: value for name, value in metadata.items() if isinstance(value, int)}
    assert numbers == {
        "rolesynth/fresh": 3,
        "rolesynth/stale": 1,
        "rolesynth/missing": 2,
        "rolesynth/up_stale": 0,
        "rolesynth/up_missing": 1,
        "rolesynth/down_stale": 1,
        "rolesynth/down_missing": 1,
    }
    assert r"| down\[b\] | up\[b\] changed |" in str(metadata["rolesynth/causes"])
