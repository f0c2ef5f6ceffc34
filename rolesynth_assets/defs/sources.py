"""What people edit: role sets, recipes, benchmarks, models; observed, so a change is seen."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from rolesynth_assets.defs.wiring import partitions, r1_partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.errors import digest_of_fault
from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.mllm.factory import declared_model


def observed(**settings: Any) -> Callable[[Callable[..., Any]], dg.SourceAsset]:
    """`dg.observable_source_asset`, described by the docstring as `dg.asset` is."""

    def source(observe: Callable[..., Any]) -> dg.SourceAsset:
        described = dg.observable_source_asset(description=inspect.getdoc(observe), **settings)
        return described(observe)

    return source


def versions(digests: dict[str, str]) -> dg.DataVersionsByPartition:
    """Return digests by partition as data versions."""
    return dg.DataVersionsByPartition({name: dg.DataVersion(d) for name, d in digests.items()})


@observed(partitions_def=partitions.role_set, group_name="roles")
def role_set_files() -> dg.DataVersionsByPartition:
    """YAML files of the role sets, one partition each; observed before a refresh."""
    return versions(partitions.ROLE_SETS.digests(lambda role_set: role_set.digest))


@observed(group_name="captions")
def captioner(platform: Platform) -> dg.DataVersion:
    """The model that writes captions, by name and revision; observed before a refresh."""
    return dg.DataVersion(declared_model(platform.settings.captioner))


@observed(partitions_def=partitions.role_set, group_name="captions")
def caption_rules(platform: Platform) -> dg.DataVersionsByPartition:
    """`captions` in rolesynth.yaml, and each role set's language; observed before a refresh."""
    policy = platform.settings.captions.policy.digest
    return dg.DataVersionsByPartition(
        {
            name: dg.DataVersion(f"{policy[:16]} {s.language}")
            for name, s in partitions.ROLE_SETS.items()
        }
    )


@observed(group_name="filter")
def judge(platform: Platform) -> dg.DataVersion:
    """The model that scores captions, by name, revision and sampling; observed before a refresh."""
    scores = platform.settings.scores
    changed = f" {scores.sampling.fingerprint()[:12]}" if scores != type(scores)() else ""
    return dg.DataVersion(declared_model(platform.settings.judge) + changed)


@observed(partitions_def=partitions.shard_by_role_set, group_name="filter")
def excluded_captions(platform: Platform) -> dg.DataVersionsByPartition:
    """Captions that people excluded by hand in `rolesynth browse`; observed before a refresh.

    Only partitions in which somebody excluded a caption, or took that back, have a version.
    """
    if not data_path(platform.settings.paths.lance_table("exclusions")).exists():
        return versions({})  # reading a table takes half a second to begin with
    from rolesynth_assets.images.shards.registry import load_shards
    from rolesynth_assets.review.exclusions import exclusion_digests

    live = partial(load_shards, platform.settings.data_root)
    return versions(exclusion_digests(platform.store, live, partitions.ROLE_SETS))


@observed(partitions_def=partitions.recipe, group_name="clip")
def recipe_files() -> dg.DataVersionsByPartition:
    """YAML files of the recipes, one partition each; observed before a refresh."""
    return versions(partitions.RECIPES.digests(lambda recipe: recipe.digest))


@observed(partitions_def=partitions.benchmark, group_name="benchmarks")
def benchmark_files(platform: Platform) -> dg.DataVersionsByPartition:
    """Images and texts of the benchmarks at hand, one partition each; observed before a refresh."""
    from rolesynth_assets.benchmarks.known_digests import known_digest

    root = platform.settings.data_root
    at_hand = partitions.TASKS.where(lambda task: task.at_hand(root))
    return versions(at_hand.digests(lambda task: known_digest(task, root)))


@observed(partitions_def=partitions.domain, group_name="cads")
def seed_files() -> dg.DataVersionsByPartition:
    """Files that problems start from, one domain each; observed before a refresh."""
    from rolesynth_assets.cads.seeds.domains import seeds_digest

    return versions(partitions.SEED_FILES.where(Path.exists).digests(seeds_digest))


@observed(group_name="cads")
def problem_rules(platform: Platform) -> dg.DataVersion:
    """`problems` in rolesynth.yaml: size of the set, findings that drop a problem.

    A refresh observes it first, so that other rules make the sets stale.
    """
    return dg.DataVersion(platform.settings.problems.rules.digest)


@observed(group_name="cads")
def collective(platform: Platform) -> dg.DataVersion:
    """The models that write and judge problems, and what draws them; observed before a refresh."""
    from rolesynth_assets.cads.collective.collective import load_collectives
    from rolesynth_assets.mllm.engine import EngineError

    name = platform.settings.collective
    found = load_collectives(platform.settings.collectives)
    if name in found.broken:
        return dg.DataVersion(digest_of_fault(found.broken[name]))
    try:
        return dg.DataVersion(found[name].digest if name in found else "none chosen")
    except EngineError:  # weights are missing: its rounds say so, and nothing else is held up
        return dg.DataVersion("cannot play")


@observed(partitions_def=r1_partitions.r1_recipe, group_name="r1")
def r1_recipe_files() -> dg.DataVersionsByPartition:
    """YAML files of the R1 recipes, one partition each; observed before a refresh."""
    return versions(r1_partitions.R1_RECIPES.digests(lambda recipe: recipe.digest))


@observed(partitions_def=r1_partitions.r1_benchmark, group_name="r1")
def r1_benchmark_files() -> dg.DataVersionsByPartition:
    """YAML files of the held-out benchmarks, one partition each; observed before a refresh.

    The files that a definition points to are not read.
    """
    return versions(r1_partitions.R1_BENCHMARKS.digests(lambda benchmark: benchmark.digest))
