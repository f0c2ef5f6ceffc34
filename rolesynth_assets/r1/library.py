"""Reading of the YAML files of R1: shipped recipes and held-out benchmarks, and a user's own."""

from __future__ import annotations

from pathlib import Path

from rolesynth_assets.errors import InputError
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
from rolesynth_assets.r1.recipe import R1Recipe
from rolesynth_assets.recipe_files.training_recipes import RecipeLibrary
from rolesynth_assets.yaml_files import Named, YamlLibrary

SHIPPED_RECIPES = Path(__file__).parent / "recipes"
SHIPPED_BENCHMARKS = Path(__file__).parent / "benchmarks" / "held_out"


class R1FileError(InputError):
    """A recipe or benchmark file that cannot be read; the message names the file and the field."""


_RECIPES = RecipeLibrary(
    R1Recipe,
    R1FileError,
    SHIPPED_RECIPES,
    what="R1 recipe",
    fields="name, description, model and training",
    example=str(SHIPPED_RECIPES / "synthetic.yaml"),
)
_BENCHMARKS = YamlLibrary(
    R1Benchmark,
    R1FileError,
    SHIPPED_BENCHMARKS,
    what="R1 benchmark",
    fields="name and layout",
    example=str(SHIPPED_BENCHMARKS / "easy_vqa.yaml"),
)


def load_r1_recipes(extra_dir: Path | None = None) -> Named[R1Recipe]:
    """Read the shipped recipes, then those of a user's folder, which replace shipped ones.

    Args:
        extra_dir: ``<project>/r1_recipes``; None or a folder that does not exist adds nothing.

    Returns:
        Recipes by name, and the broken ones: a file cannot be used, or a baseline does not exist.
    """
    return _RECIPES.load(extra_dir)


def load_r1_benchmarks(extra_dir: Path | None = None) -> Named[R1Benchmark]:
    """Read the shipped benchmarks, then those of a user's ``<project>/r1_benchmarks``.

    Returns:
        Benchmarks by name, and the files that cannot be used.
    """
    return _BENCHMARKS.load(extra_dir)
