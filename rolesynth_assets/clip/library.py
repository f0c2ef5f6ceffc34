"""The shipped recipes and a user's own, one YAML file each."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.errors import InputError
from rolesynth_assets.recipe_files.training_recipes import RecipeLibrary, without
from rolesynth_assets.yaml_files import Named, NamedModel

SHIPPED = Path(__file__).parent / "recipes"
RoleSetT = TypeVar("RoleSetT", bound=NamedModel)


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


def load_recipes(extra_dir: Path | None = None) -> Named[Recipe]:
    """Read the shipped recipes, then those of a user's folder, which replace them by name.

    Args:
        extra_dir: folder of ``*.yaml`` or ``*.yml`` files; None or a folder that does not exist
            adds nothing.

    Returns:
        Recipes by name, in alphabetical order.

    A recipe whose file cannot be used, whose name another file of the folder has, or whose baseline
    does not exist is broken.
    """
    return _FILES.load(extra_dir)


def with_role_sets(recipes: Named[Recipe], role_sets: Named[RoleSetT]) -> Named[Recipe]:
    """Return recipes without those whose role set does not fit.

    It does not exist, its file is broken, or it lacks a role that the recipe leaves out. The roles
    of a generated set are known later, when its captions are selected.
    """
    broken: dict[str, Exception] = {}
    for name, recipe in recipes.items():
        if recipe.role_set in role_sets.broken:
            broken[name] = RecipeError(
                f"Recipe {name!r}: the file of its role set {recipe.role_set!r} cannot be used: "
                f"{role_sets.broken[recipe.role_set]}"
            )
        elif recipe.role_set not in role_sets:
            broken[name] = RecipeError(
                f"Recipe {name!r}: role_set {recipe.role_set!r} is no role set; "
                f"choose one of {sorted(role_sets)} or write it in role_sets/."
            )
        elif unknown := _unknown_roles(recipe, role_sets[recipe.role_set]):
            broken[name] = RecipeError(
                f"Recipe {name!r}, field without_roles: {unknown} of role set {recipe.role_set!r}."
            )
    return without(recipes, broken)


def _unknown_roles(recipe: Recipe, role_set: NamedModel) -> str:
    """Say which roles that a recipe leaves out a written role set lacks; empty if it has all."""
    names = [role.name for role in getattr(role_set, "roles", ())]
    unknown = [name for name in recipe.without_roles if names and name not in names]
    return f"{', '.join(map(repr, unknown))} is no role, but {names} are those" if unknown else ""


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
