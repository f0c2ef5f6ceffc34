"""What people edit for R1: recipes and benchmark definitions; observed, so a change is seen."""

import dagster as dg

from rolesynth_assets.defs.sources import observed
from rolesynth_assets.defs.wiring import r1_partitions


@observed(partitions_def=r1_partitions.r1_recipe, group_name="r1")
def r1_recipe_files() -> dg.DataVersionsByPartition:
    """YAML files of the R1 recipes, one partition each; observed before a refresh."""
    return dg.DataVersionsByPartition(
        {name: dg.DataVersion(r.digest) for name, r in r1_partitions.R1_RECIPES.items()}
    )


@observed(partitions_def=r1_partitions.r1_benchmark, group_name="r1")
def r1_benchmark_files() -> dg.DataVersionsByPartition:
    """YAML files of the held-out benchmarks, one partition each; observed before a refresh.

    The files that a definition points to are not read.
    """
    return dg.DataVersionsByPartition(
        {name: dg.DataVersion(b.digest) for name, b in r1_partitions.R1_BENCHMARKS.items()}
    )
