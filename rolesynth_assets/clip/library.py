"""The shipped recipes and a user's own, one YAML file each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.errors import InputError
from rolesynth_assets.training_recipes import RecipeLibrary

SHIPPED = Path(__file__).parent / "recipes"


class RecipeError(InputError):
    """A recipe file that cannot be read; the message names the file and the field."""


_FILES = RecipeLibrary(
    Recipe,
    RecipeError,
    SHIPPED,
    what="recipe",
    fields="name, description, role_set, model, optimizer and schedule",
    example=str(SHIPPED / "roles5.yaml"),
)


def load_recipes(extra_dir: Path | None = None) -> dict[str, Recipe]:
    """Read the shipped recipes, then those of a user's folder, which replace them by name.

    Args:
        extra_dir: folder of ``*.yaml`` or ``*.yml`` files; None or a folder that does not exist
            adds nothing.

    Returns:
        Recipes by name, in alphabetical order.

    Raises:
        RecipeError: a file is not a valid recipe, two files of one folder share a name, or the
            baseline of a recipe does not exist.
    """
    return _FILES.load(extra_dir)


def require_role_sets(recipes: Mapping[str, Recipe], role_sets: Collection[str]) -> None:
    """Refuse recipes whose role set does not exist.

    Raises:
        RecipeError: a recipe's role set does not exist.
    """
    for recipe in recipes.values():
        if recipe.role_set not in role_sets:
            raise RecipeError(
                f"Recipe {recipe.name!r}: role_set {recipe.role_set!r} is no role set; "
                f"choose one of {sorted(role_sets)} or write it in role_sets/."
            )


def read_recipe(path: Path) -> Recipe:
    """Read one recipe file.

    Raises:
        RecipeError: the file is missing, is no YAML, or breaks the schema; every broken field is
            named.
    """
    return _FILES.read(path)


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe as the YAML that `read_recipe` reads back to an equal value."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
