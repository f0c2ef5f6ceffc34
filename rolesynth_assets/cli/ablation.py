"""`rolesynth ablation`, which shows what earns the score, offline on the embedded world."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.demo import embedded_problems, embedded_settings, write_embedded_world
from rolesynth_assets.cli.demo_project import FOLDER
from rolesynth_assets.cli.refresh import refresh
from rolesynth_assets.cli.work.caption_work import CaptionWork
from rolesynth_assets.files.object_path import DataPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rolesynth_assets.clip.recipe import Recipe
    from rolesynth_assets.embedded.world.write import WorldSize

SHARD = 500
"""Most images of a shard."""
SECONDS_A_TRAINING = 100
"""What one training and its scores take on two cores, to announce the length of it all."""


def ablation(
    images: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Images of the world; by default the demo's 1,500. Another number has a project "
            "folder of its own, `rolesynth-ablation-N`.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Training seeds of each recipe; its file lists five.")
    ] = 5,
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="An embedded recipe; repeatable. By default all of them."),
    ] = None,
    r1: Annotated[bool, typer.Option(help="Train and score the R1 recipes, too.")] = True,
) -> None:
    """Train and score every embedded recipe, CLIP and R1, with several seeds; write reports.

    The CLIP report begins with what earns the score: the paired differences of recipes with
    intervals over seeds and images, and for each claim whether it holds. A recipe is chosen on a
    dev split and reported on the test split.

    It works in the demo's project folder, `rolesynth-demo`, and pays no caption twice. Stopped, it
    goes on where it ended when it is run again: all seeds at once, or **--seeds 1** first and more
    later.
    """
    from rolesynth_assets.r1.library import load_r1_recipes

    began = time.perf_counter()
    chosen = _recipes(recipe or ())
    trained = {name: _seeds(one, seeds) for name, one in chosen.items()}
    settings = embedded_settings(_folder(images))
    _announce(trained, chosen)
    size = _world(images)
    write_embedded_world(settings, size)
    _write_dev_splits(settings.data_root, size)
    role_sets = sorted({one.role_set for one in chosen.values()})
    of_r1 = {r.name: r.seeds for r in load_r1_recipes(None).values() if r.stand_in} if r1 else {}
    problems = partial(embedded_problems, of_r1) if r1 else None
    refresh(began, CaptionWork(role_sets, trained), problems)
    for page in ("ablation", *(["r1"] if r1 else [])):
        print(f"Report: {settings.paths.report(page)}")


def _recipes(asked: Sequence[str]) -> dict[str, Recipe]:
    """Return the embedded recipes that were asked for, with what they are compared with.

    Raises:
        typer.BadParameter: a name is not that of an embedded recipe.
    """
    from rolesynth_assets.clip.library import load_recipes

    known = {n: r for n, r in load_recipes(None).items() if r.model == "rolesynth-nano"}
    if unknown := sorted(set(asked) - set(known)):
        raise typer.BadParameter(
            f"no embedded recipe {', '.join(unknown)}; there are {', '.join(known)}"
        )
    wanted = set(asked) or set(known)
    for name in [*wanted]:
        above = known[name].baseline
        while above is not None and above not in wanted:
            wanted.add(above)
            above = known[above].baseline
    return {name: known[name] for name in sorted(wanted)}


def _seeds(recipe: Recipe, count: int) -> Sequence[int]:
    """Return the first seeds of a recipe; the base, which nothing is trained for, has one.

    Raises:
        typer.BadParameter: the recipe's file lists fewer.
    """
    if count > len(recipe.seeds) and recipe.schedule.steps != 0:
        raise typer.BadParameter(
            f"--seeds {count}: recipe {recipe.name} lists {len(recipe.seeds)} under `seeds`"
        )
    return recipe.seeds[:count]


def _folder(images: int | None) -> str:
    from rolesynth_assets.embedded.world.write import DEMO_SIZE

    demo = DEMO_SIZE.shards * DEMO_SIZE.images_per_shard
    return FOLDER if images in (None, demo) else f"rolesynth-ablation-{images}"


def _world(images: int | None) -> WorldSize:
    """Return the size of a world with about so many images, in shards of at most `SHARD`."""
    from dataclasses import replace

    from rolesynth_assets.embedded.world.write import DEMO_SIZE

    if images is None:
        return DEMO_SIZE
    shards = math.ceil(images / SHARD)
    return replace(DEMO_SIZE, shards=shards, images_per_shard=math.ceil(images / shards))


def _announce(trained: Mapping[str, Sequence[int]], chosen: Mapping[str, Recipe]) -> None:
    trainings = sum(len(seeds) for n, seeds in trained.items() if chosen[n].schedule.steps != 0)
    hours = trainings * SECONDS_A_TRAINING / 3600
    print(
        f"{len(trained)} CLIP recipes, {trainings} trainings: about {hours:.1f} hours on two cores "
        "from the beginning, less of what is there already."
    )


def _write_dev_splits(data_root: DataPath, size: WorldSize) -> None:
    from rolesynth_assets.embedded.world.write import write_dev_splits

    write_dev_splits(data_root, size)
