"""What a refresh covers: everything from images to pages, upstream first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.lineage.refresh.runner import Target
from rolesynth_assets.r1.recipe import R1Recipe

AnyRecipe = TypeVar("AnyRecipe", Recipe, R1Recipe)


@dataclass(frozen=True)
class ProblemWork:
    """What a refresh covers of CADS and R1.

    Attributes:
        domains: whose seeds problems are made from.
        rounds: keys of the rounds, the first ones there are.
        recipes: R1 recipes with the seeds to train.
        benchmarks: R1 benchmarks to score on.
    """

    domains: Sequence[str]
    rounds: Sequence[str]
    recipes: Mapping[str, Sequence[int]]
    benchmarks: Sequence[str]


def targets(
    shards: Sequence[str],
    role_sets: Sequence[str],
    recipes: Sequence[tuple[Recipe, Sequence[int]]],
    benchmarks: Sequence[str],
    scored: Sequence[str] = (),
) -> list[Target]:
    """List everything from images to pages, upstream first.

    Args:
        shards: image shards.
        role_sets: role sets to caption them with.
        recipes: recipes with the seeds to train; a baseline comes before what is compared with it.
        benchmarks: tasks to score on.
        scored: further partitions with scores; a cut of their role sets is for them too.
    """
    cells = [f"{shard}|{role_set}" for role_set in role_sets for shard in shards]
    cut = [*cells, *(cell for cell in scored if cell.split("|")[1] in role_sets)]
    named = [(recipe.name, seeds) for recipe, seeds in _baselines_first(recipes)]
    tasks = [f"{task}|{name}" for name, _ in named for task in benchmarks]
    pages = [Target("ablation_report")] if tasks else []
    return [
        Target("image_shards", shards),
        Target("role_lists", role_sets),
        Target("raw_captions", cells),
        Target("caption_scores", cells),
        Target("filter_cutoffs", role_sets),
        Target("filtered_pairs", list(dict.fromkeys(cut))),
        Target("pair_manifests", role_sets),
        Target("dataset_card", role_sets),
        Target("caption_index", role_sets),
        Target("training_sets", [name for name, _ in named]),
        Target("clip_checkpoints", [f"{name}|{seed}" for name, seeds in named for seed in seeds]),
        Target("benchmark_scores", tasks),
        *pages,
    ]


def problem_targets(work: ProblemWork, recipes: Mapping[str, R1Recipe]) -> list[Target]:
    """List everything from seeds to the R1 report, upstream first.

    Args:
        work: what is covered.
        recipes: R1 recipes there are, by name.
    """
    asked = _baselines_first((recipes[name], seeds) for name, seeds in work.recipes.items())
    named = [(recipe.name, seeds) for recipe, seeds in asked]
    scored = [f"{benchmark}|{name}" for name, _ in named for benchmark in work.benchmarks]
    return [
        Target("cads_seeds", work.domains),
        Target(
            "cads_rounds", [f"{domain}|{key}" for domain in work.domains for key in work.rounds]
        ),
        Target("synthetic_problems", work.domains),
        Target("r1_checkpoints", [f"{name}|{seed}" for name, seeds in named for seed in seeds]),
        Target("r1_scores", scored),
        *([Target("r1_report")] if scored else []),
    ]


def _baselines_first(
    recipes: Iterable[tuple[AnyRecipe, Sequence[int]]],
) -> list[tuple[AnyRecipe, Sequence[int]]]:
    listed = list(recipes)
    bases = {recipe.baseline for recipe, _ in listed}
    return sorted(listed, key=lambda pair: (pair[0].name not in bases, pair[0].name))
