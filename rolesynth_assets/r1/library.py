"""YAML files of R1: the shipped recipes and held-out benchmarks, and a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from rolesynth_assets.r1.benchmark import R1Benchmark
from rolesynth_assets.r1.recipe import R1Recipe

SHIPPED_RECIPES = Path(__file__).parent / "recipes"
SHIPPED_BENCHMARKS = Path(__file__).parent / "held_out"


class R1FileError(ValueError):
    """A recipe or benchmark file that cannot be read; the message names the file and the field."""


Value = TypeVar("Value", R1Recipe, R1Benchmark)


def load_r1_recipes(extra_dir: Path | None = None) -> dict[str, R1Recipe]:
    """Read the shipped recipes, then those of a user's folder, which win by name.

    Args:
        extra_dir: ``<project>/r1_recipes``; None or a folder that does not exist adds nothing.

    Returns:
        Recipes by name, in alphabetical order.

    Raises:
        R1FileError: a file is no valid recipe, two files of one folder share a name, or a recipe's
            baseline does not exist.
    """
    recipes = _overlaid(R1Recipe, SHIPPED_RECIPES, extra_dir)
    for recipe in recipes.values():
        if recipe.baseline is not None and recipe.baseline not in recipes:
            raise R1FileError(
                f"R1 recipe {recipe.name!r}: baseline {recipe.baseline!r} is no recipe; "
                f"choose one of {sorted(set(recipes) - {recipe.name})} or leave it out."
            )
    return recipes


def load_r1_benchmarks(extra_dir: Path | None = None) -> dict[str, R1Benchmark]:
    """Read the shipped benchmarks, then those of a user's ``<project>/r1_benchmarks``.

    Returns:
        Benchmarks by name, in alphabetical order.

    Raises:
        R1FileError: a file is no valid benchmark, or two files of one folder share a name.
    """
    return _overlaid(R1Benchmark, SHIPPED_BENCHMARKS, extra_dir)


def _overlaid(kind: type[Value], shipped: Path, extra: Path | None) -> dict[str, Value]:
    found = _read_folder(kind, shipped)
    if extra is not None and extra.is_dir():
        found |= _read_folder(kind, extra)
    return dict(sorted(found.items()))


def _read_folder(kind: type[Value], folder: Path) -> dict[str, Value]:
    values: dict[str, Value] = {}
    origin: dict[str, Path] = {}
    for path in sorted(folder.glob("*.yaml")):
        value = _read(kind, path)
        if value.name in values:
            raise R1FileError(
                f"{origin[value.name]} and {path} both have the name {value.name!r}; rename one."
            )
        values[value.name], origin[value.name] = value, path
    return values


def _read(kind: type[Value], path: Path) -> Value:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise R1FileError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(data, dict):
        raise R1FileError(f"{path} holds no mapping of fields to values.")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or kind.__name__}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise R1FileError(f"{path}: {faults}") from error
