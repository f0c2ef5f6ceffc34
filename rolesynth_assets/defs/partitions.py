"""The partitions of the graph: shards grow, everything else is listed by YAML files."""

import dagster as dg

from rolesynth_assets.benchmarks.tasks import load_tasks
from rolesynth_assets.recipes.library import load_recipes
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.settings import Settings

_settings = Settings.load()
ROLE_SETS = load_role_sets(_settings.role_sets)
RECIPES = load_recipes(_settings.recipes)
TASKS = load_tasks(_settings.benchmarks)

image_shard = dg.DynamicPartitionsDefinition(name="image_shard")
role_set = dg.StaticPartitionsDefinition(sorted(ROLE_SETS))
recipe = dg.StaticPartitionsDefinition(sorted(RECIPES))
seed = dg.StaticPartitionsDefinition(
    [str(s) for s in sorted({s for r in RECIPES.values() for s in r.seeds})]
)
benchmark = dg.StaticPartitionsDefinition(sorted(TASKS))

shard_by_role_set = dg.MultiPartitionsDefinition({"image_shard": image_shard, "role_set": role_set})
recipe_by_seed = dg.MultiPartitionsDefinition({"recipe": recipe, "seed": seed})
recipe_by_benchmark = dg.MultiPartitionsDefinition({"recipe": recipe, "benchmark": benchmark})

by_shard = dg.MultiToSingleDimensionPartitionMapping("image_shard")
by_role_set = dg.MultiToSingleDimensionPartitionMapping("role_set")
by_recipe = dg.MultiToSingleDimensionPartitionMapping("recipe")
by_benchmark = dg.MultiToSingleDimensionPartitionMapping("benchmark")
recipes_of_role_set = dg.StaticPartitionMapping(
    {
        name: [r.name for r in RECIPES.values() if r.role_set == name]
        for name in ROLE_SETS
        if any(r.role_set == name for r in RECIPES.values())
    }
)
all_seeds_of_recipe = dg.MultiPartitionMapping(
    {"recipe": dg.DimensionPartitionMapping("recipe", dg.IdentityPartitionMapping())}
)


def keys(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Return the run's partition as dimension to key, of a partition with two dimensions."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    return dict(key.keys_by_dimension)


def lance_partition(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Return a shard x role set run's partition under the names of the Lance tables' columns."""
    named = keys(context)
    return {"shard": named["image_shard"], "role_set": named["role_set"]}
