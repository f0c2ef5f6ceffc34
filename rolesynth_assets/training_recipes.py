"""What recipes of CLIP and of R1 have in common, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import Field, model_validator

from rolesynth_assets.yaml_files import NamedModel, PartitionName, YamlLibrary


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
    """The recipes of one kind; a baseline is a recipe of the same library."""

    def load(self, extra_dir: Path | None = None) -> dict[str, RecipeT]:
        """Read the files as `YamlLibrary.load` does.

        Raises:
            Exception: `error`, where a file cannot be used, two files of one folder share a name,
                or a recipe's baseline does not exist.
        """
        recipes = super().load(extra_dir)
        for recipe in recipes.values():
            if recipe.baseline is not None and recipe.baseline not in recipes:
                raise self.error(
                    f"{self.what[0].upper()}{self.what[1:]} {recipe.name!r}: baseline "
                    f"{recipe.baseline!r} is no recipe; choose one of "
                    f"{sorted(set(recipes) - {recipe.name})} or leave it out."
                )
        return recipes
