"""Our staleness against Dagster's resolver, on SQLite, in one run (`python -m`, from the root).

A root asset, an asset made from it partition by partition, and one made from all of that: two
dimensions, one of them dynamic, as captions have. Every event carries 20 kB of metadata. Then one
root partition changes. Dagster's resolver is asked for some of the partitions only: it asks the
storage anew for each of them, so what one costs does not depend on how many there are.
"""

import tempfile
import time
from typing import Annotated

import dagster as dg
import typer
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.staleness import examine
from rolesynth_assets_tests.lineage.little_graphs import World

ROLE_SETS = [f"set{number}" for number in range(10)]
METADATA = {"rolesynth/gallery": dg.MetadataValue.md("x" * 20_000)}


def build(world: World, shards: int) -> list[dg.AssetsDefinition]:
    """Record `shards` x 10 partitions of two assets and what is made from them."""
    keys = [f"{number:05d}" for number in range(shards)]
    world.instance.add_dynamic_partitions("shards", keys)
    cells = dg.MultiPartitionsDefinition(
        {
            "role_set": dg.StaticPartitionsDefinition(ROLE_SETS),
            "shard": dg.DynamicPartitionsDefinition(name="shards"),
        }
    )
    to_all = dg.AllPartitionMapping()
    assets = [
        world.asset("captions", cells, metadata_of_run=METADATA),
        world.asset("scores", cells, ["captions"], metadata_of_run=METADATA),
        world.asset("report", deps=[dg.AssetDep("scores", partition_mapping=to_all)]),
    ]
    names = [f"{role_set}|{key}" for role_set in ROLE_SETS for key in keys]
    for asset in ("captions", "scores"):
        world.make(assets, asset, names[0])
        world.repeat(asset, names[0], names[1:-1])
        world.make(assets, asset, names[-1])
    for asset in ("scores", "report"):  # read all that was recorded since
        world.make(assets, asset, names[0] if asset == "scores" else None)
    world.contents["captions", names[7]] = "1"
    world.make(assets, "captions", names[7])
    return assets


def measure(partitions: int, asked: int) -> None:
    """Print seconds and microseconds a partition for one size."""
    with (
        tempfile.TemporaryDirectory() as folder,
        dg.DagsterInstance.local_temp(folder) as instance,
    ):
        world = World(instance)
        graph = dg.Definitions(assets=build(world, partitions // 10)).resolve_asset_graph()
        began = time.perf_counter()
        found = examine(graph, instance)
        ours = time.perf_counter() - began
        stale = [str(cell) for cell, _ in found.stale()]
        began = time.perf_counter()
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        keys = list(found.states["scores"])[:asked]
        theirs = {key: resolver.get_status(dg.AssetKey("scores"), key).value for key in keys}
        dagster = (time.perf_counter() - began) / len(keys)
        total = sum(map(len, found.states.values()))
        wrong = sum(
            Status(said.lower()) is not found.state(Cell("scores", key)).status
            for key, said in theirs.items()
        )
        print(
            f"{total:7,} partitions  ours {ours:6.2f} s, {1e6 * ours / total:5.0f} us each   "
            f"Dagster {1e6 * dagster:7.0f} us each (x {dagster * total / ours:4.0f}; "
            f"{wrong} of {len(keys)} answers differ)   stale: {', '.join(stale[:4])}"
        )


def main(
    asked: Annotated[int, typer.Option(help="Partitions that Dagster's resolver is asked.")] = 200,
) -> None:
    """Measure 2,000, 10,000, 20,000 and 50,000 partitions."""
    for partitions in (1_000, 5_000, 10_000, 25_000):
        measure(partitions, asked)


if __name__ == "__main__":
    typer.run(main)
