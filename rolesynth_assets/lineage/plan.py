"""What a refresh covers: everything from images to pages, upstream first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rolesynth_assets.lineage.refresh import Target
from rolesynth_assets.recipes.recipe import Recipe


def targets(
    shards: Sequence[str],
    role_sets: Sequence[str],
    recipes: Sequence[tuple[Recipe, Sequence[int]]],
    benchmarks: Sequence[str],
) -> list[Target]:
    """List everything from images to pages, upstream first.

    Args:
        shards: image shards.
        role_sets: role sets to caption them with.
        recipes: recipes with the seeds to train; a baseline comes before what is compared with it.
        benchmarks: tasks to score on.
    """
    cells = [f"{shard}|{role_set}" for role_set in role_sets for shard in shards]
    named = [(recipe.name, seeds) for recipe, seeds in _baselines_first(recipes)]
    scored = [f"{task}|{name}" for name, _ in named for task in benchmarks]
    pages = [Target("ablation_report")] if scored else []
    return [
        Target("image_shards", shards),
        Target("role_lists", role_sets),
        Target("raw_captions", cells),
        Target("caption_scores", cells),
        Target("filter_cutoffs", role_sets),
        Target("filtered_pairs", cells),
        Target("pair_manifests", role_sets),
        Target("dataset_card", role_sets),
        Target("training_sets", [name for name, _ in named]),
        Target("clip_checkpoints", [f"{name}|{seed}" for name, seeds in named for seed in seeds]),
        Target("benchmark_scores", scored),
        *pages,
    ]


def _baselines_first(
    recipes: Iterable[tuple[Recipe, Sequence[int]]],
) -> list[tuple[Recipe, Sequence[int]]]:
    listed = list(recipes)
    bases = {recipe.baseline for recipe, _ in listed}
    return sorted(listed, key=lambda pair: (pair[0].name not in bases, pair[0].name))
