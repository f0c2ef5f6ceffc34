"""What people edit that changes the graph itself: it takes effect when the definitions are loaded.

A new file is found at the look at the sources. What is here are edits of files that have their
partition already.
"""

from collections.abc import Mapping, Sequence

from rolesynth_assets.defs.wiring import partitions, r1_partitions

_HOW = "reload the definitions (Deployment, Reload), or start `rolesynth ui` again."
_ROLE_SETS = {name: recipe.role_set for name, recipe in partitions.RECIPES.items()}


def moved_recipes() -> dict[str, tuple[str, str]]:
    """Return recipes with another role set than when loaded, each with that one and the new one.

    Until a reload the graph takes the manifest of the old role set for what they are made from.
    """
    return {
        name: (before, recipe.role_set)
        for name, recipe in partitions.RECIPES.items()
        if (before := _ROLE_SETS.get(name, recipe.role_set)) != recipe.role_set
    }


def reload_sentences() -> list[str]:
    """Ask for a reload where a recipe moved to another role set or has a seed that is new."""
    return [
        *(
            f"Recipe {name} moved from role set {before} to {now}: {_HOW} Its training set waits "
            "for that."
            for name, (before, now) in moved_recipes().items()
        ),
        *_new_seeds("recipes", partitions.RECIPES, partitions.seed.get_partition_keys()),
        *_new_seeds(
            "R1 recipes", r1_partitions.R1_RECIPES, r1_partitions.r1_seed.get_partition_keys()
        ),
    ]


def _new_seeds(what: str, recipes: Mapping, known: Sequence[str]) -> list[str]:
    seeds = sorted({seed for recipe in recipes.values() for seed in recipe.seeds})
    new = [str(seed) for seed in seeds if str(seed) not in known]
    return [f"Seeds {', '.join(new)} of {what} have no partitions yet: {_HOW}"] if new else []
