"""The partitions of R1: recipes, their seeds and the held-out benchmarks, all listed by YAML."""

import dagster as dg

from rolesynth_assets.r1.library import load_r1_benchmarks, load_r1_recipes
from rolesynth_assets.settings import Settings

_project = Settings.load().project
R1_RECIPES = load_r1_recipes(_project / "r1_recipes")
R1_BENCHMARKS = load_r1_benchmarks(_project / "r1_benchmarks")

r1_recipe = dg.StaticPartitionsDefinition(R1_RECIPES.keys_of_all())
r1_seed = dg.StaticPartitionsDefinition(
    [str(s) for s in sorted({s for r in R1_RECIPES.values() for s in r.seeds})]
)
r1_benchmark = dg.StaticPartitionsDefinition(R1_BENCHMARKS.keys_of_all())

recipe_by_seed = dg.MultiPartitionsDefinition({"r1_recipe": r1_recipe, "r1_seed": r1_seed})
recipe_by_benchmark = dg.MultiPartitionsDefinition(
    {"r1_recipe": r1_recipe, "r1_benchmark": r1_benchmark}
)

by_recipe = dg.MultiToSingleDimensionPartitionMapping("r1_recipe")
by_benchmark = dg.MultiToSingleDimensionPartitionMapping("r1_benchmark")
all_seeds_of_recipe = dg.MultiPartitionMapping(
    {"r1_recipe": dg.DimensionPartitionMapping("r1_recipe", dg.IdentityPartitionMapping())}
)
