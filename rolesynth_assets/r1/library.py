"""Reading of the YAML files of R1: shipped recipes and held-out benchmarks, and a user's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from rolesynth_assets.bounded_yaml import YamlFileError, read_yaml
from rolesynth_assets.errors import InputError
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
from rolesynth_assets.r1.recipe import R1Recipe
from rolesynth_assets.yaml_files import faults, load_named

SHIPPED_RECIPES = Path(__file__).parent / "recipes"
SHIPPED_BENCHMARKS = Path(__file__).parent / "benchmarks" / "held_out"


class R1FileError(InputError):
    """A recipe or benchmark file that cannot be read; the message names the file and the field."""


Value = TypeVar("Value", R1Recipe, R1Benchmark)


def load_r1_recipes(extra_dir: Path | None = None) -> dict[str, R1Recipe]:
    """Read the shipped recipes, then those of a user's folder, which replace shipped ones.

    Args:
        extra_dir: ``<project>/r1_recipes``; None or a folder that does not exist adds nothing.

    Returns:
        Recipes by name, in alphabetical order.

    Raises:
        R1FileError: a file is not a valid recipe, two files of one folder share a name, or a
            recipe's baseline does not exist.
    """
    recipes = load_named(SHIPPED_RECIPES, extra_dir, partial(_read, R1Recipe), _clash)
    for recipe in recipes.values():
        if recipe.baseline is not None and recipe.baseline not in recipes:
            raise R1FileError(
                f"R1 recipe {recipe.name!r}: baseline {recipe.baseline!r} is not a recipe; "
                f"choose one of {sorted(set(recipes) - {recipe.name})} or leave it out."
            )
    return recipes


def load_r1_benchmarks(extra_dir: Path | None = None) -> dict[str, R1Benchmark]:
    """Read the shipped benchmarks, then those of a user's ``<project>/r1_benchmarks``.

    Returns:
        Benchmarks by name, in alphabetical order.

    Raises:
        R1FileError: a file is not a valid benchmark, or two files of one folder share a name.
    """
    return load_named(SHIPPED_BENCHMARKS, extra_dir, partial(_read, R1Benchmark), _clash)


def _clash(name: str, first: Path, second: Path) -> R1FileError:
    return R1FileError(f"{first} and {second} both have the name {name!r}; rename one.")


def _read(kind: type[Value], path: Path) -> Value:
    try:
        data = read_yaml(path)
    except YamlFileError as error:
        raise R1FileError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(data, dict):
        raise R1FileError(f"{path} is not a mapping of fields to values.")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise R1FileError(f"{path}: {'; '.join(faults(error, kind.__name__))}") from error
