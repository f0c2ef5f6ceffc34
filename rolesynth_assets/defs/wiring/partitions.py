"""The partitions of the graph: shards grow, everything else is listed by YAML files.

What a file holds is read again when it changed. The keys of partitions are those of the files that
there were when the definitions were loaded.
"""

import dagster as dg

from rolesynth_assets.benchmarks.tasks import load_tasks
from rolesynth_assets.cads.seeds.domains import NO_DOMAIN, domain_files
from rolesynth_assets.clip.library import load_recipes, with_role_sets
from rolesynth_assets.defs.wiring.live_files import LiveFiles, marked
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.settings import Settings

SETTINGS = Settings.load()
ROLE_SETS = LiveFiles(
    "role set", lambda: load_role_sets(SETTINGS.role_sets), marked(SETTINGS.role_sets)
)
RECIPES = LiveFiles(
    "recipe",
    lambda: with_role_sets(load_recipes(SETTINGS.recipes), ROLE_SETS),
    marked(SETTINGS.recipes, SETTINGS.role_sets),
)
TASKS = LiveFiles("benchmark", lambda: load_tasks(SETTINGS.benchmarks), marked(SETTINGS.benchmarks))
_SEEDS = (SETTINGS.paths.embedded_seeds, SETTINGS.seeds)
SEED_FILES = LiveFiles("domain", lambda: domain_files(*_SEEDS), marked(*_SEEDS))

# a broken file has its partition, which fails with the file's error where it is materialized
image_shard = dg.DynamicPartitionsDefinition(name="image_shard")
role_set = dg.StaticPartitionsDefinition(ROLE_SETS.keys_of_all())
recipe = dg.StaticPartitionsDefinition(RECIPES.keys_of_all())
seed = dg.StaticPartitionsDefinition(
    [str(s) for s in sorted({s for r in RECIPES.values() for s in r.seeds})]
)
benchmark = dg.StaticPartitionsDefinition(TASKS.keys_of_all())
domain = dg.StaticPartitionsDefinition(SEED_FILES.keys_of_all() or [NO_DOMAIN])
round = dg.WeeklyPartitionsDefinition(start_date="2026-01-04")

shard_by_role_set = dg.MultiPartitionsDefinition({"image_shard": image_shard, "role_set": role_set})
recipe_by_seed = dg.MultiPartitionsDefinition({"recipe": recipe, "seed": seed})
recipe_by_benchmark = dg.MultiPartitionsDefinition({"recipe": recipe, "benchmark": benchmark})
domain_by_round = dg.MultiPartitionsDefinition({"domain": domain, "round": round})

by_shard = dg.MultiToSingleDimensionPartitionMapping("image_shard")
by_role_set = dg.MultiToSingleDimensionPartitionMapping("role_set")
by_recipe = dg.MultiToSingleDimensionPartitionMapping("recipe")
by_domain = dg.MultiToSingleDimensionPartitionMapping("domain")
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
round_before = dg.MultiPartitionMapping(
    {
        "domain": dg.DimensionPartitionMapping("domain", dg.IdentityPartitionMapping()),
        "round": dg.DimensionPartitionMapping(
            "round", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
        ),
    }
)


def live_shards(context: dg.AssetExecutionContext) -> list[str]:
    """Return the image shards that Dagster has; rows of any other belong to a forgotten shard."""
    return list(context.instance.get_dynamic_partitions(str(image_shard.name)))


def round_number(round_key: str) -> int:
    """Return which round a key is, counted from 1."""
    return round.get_partition_keys().index(round_key) + 1


def key_of_round_before(round_key: str) -> str | None:
    """Return the key of the round that a round builds on; None for the first."""
    rounds = round.get_partition_keys()
    place = rounds.index(round_key)
    return rounds[place - 1] if place else None


def keys(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Return the run's partition as dimension to key, of a partition with two dimensions."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    return dict(key.keys_by_dimension)


def lance_partition(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Return a shard x role set run's partition under the names of the Lance tables' columns."""
    named = keys(context)
    return {"shard": named["image_shard"], "role_set": named["role_set"]}
