"""What recipes of CLIP and of R1 have in common, and their files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import Field, model_validator

from rolesynth_assets.recipe_files.extended_recipes import EXTENDS, Parents
from rolesynth_assets.yaml_files import Named, NamedModel, PartitionName, YamlLibrary

_log = logging.getLogger(__name__)


class TrainingRecipe(NamedModel):
    """One training run, but for its seed.

    Attributes:
        name: the key of the recipe, and of its Dagster partition.
        description: one sentence for people.
        seeds: the seeds the recipe is trained with, one checkpoint each.
        baseline: recipe this one is compared with, if any.
    """

    name: PartitionName
    description: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    baseline: str | None = None

    @model_validator(mode="after")
    def _compared_with_another(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} are not distinct")
        if self.baseline == self.name:
            raise ValueError("a recipe cannot be its own baseline")
        return self


RecipeT = TypeVar("RecipeT", bound=TrainingRecipe)


class RecipeLibrary(YamlLibrary[RecipeT]):
    """The recipes of one kind; a baseline and a parent are recipes of the same library."""

    def read(self, path: Path) -> RecipeT:
        """Read one file; a parent is a shipped recipe or in the file's folder."""
        return self.reader([self.shipped, path.parent])(path)

    def reader(self, folders: Sequence[Path]) -> Callable[[Path], RecipeT]:
        """Return what reads a file together with what it extends."""
        parents = Parents(self, folders)

        def read(path: Path) -> RecipeT:
            own = self.content(path)
            parent = own.get(EXTENDS)
            note = f"its other fields are those of {parent}" if parent else ""
            return self.validated(parents.resolved(own, path), path, note)

        return read

    def load(self, extra_dir: Path | None = None) -> Named[RecipeT]:
        """Read the files as `YamlLibrary.load` does; a recipe without its baseline is broken."""
        recipes = super().load(extra_dir)
        return without(
            recipes,
            {
                name: self.error(
                    f"{self.what[0].upper()}{self.what[1:]} {name!r}: baseline "
                    f"{recipe.baseline!r} is no recipe; choose one of "
                    f"{sorted(set(recipes) - {name})} or leave it out."
                )
                for name, recipe in recipes.items()
                if recipe.baseline is not None and recipe.baseline not in recipes
            },
        )


def without(recipes: Named[RecipeT], broken: dict[str, Exception]) -> Named[RecipeT]:
    """Return recipes without those that proved to be broken, which are logged."""
    for error in broken.values():
        _log.warning("Skipped: %s", error)
    return Named(dict(recipes), {**recipes.broken, **broken}) if broken else recipes
