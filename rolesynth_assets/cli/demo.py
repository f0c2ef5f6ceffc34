"""`rolesynth demo`, which runs offline on the embedded world."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.demo_project import FOLDER, enter_demo, tell_earlier_demo
from rolesynth_assets.cli.progress_bars import bars
from rolesynth_assets.cli.refresh import first_rounds, refresh, require_seeds
from rolesynth_assets.cli.work.caption_work import CaptionWork
from rolesynth_assets.errors import InputError
from rolesynth_assets.mllm.engine import EngineError

if TYPE_CHECKING:
    from rolesynth_assets.embedded.world.write import WorldSize
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.settings import Settings

EMBEDDED_ROLE_SETS = ("roles5", "generic1")
EMBEDDED_DOMAINS = ("counting", "bar_charts")
"""Domains of the demo: one for each of the specialised judges."""
EMBEDDED_ROUNDS = 2


def demo(
    seed: Annotated[int, typer.Option(help="Training seed of both recipes.")] = 0,
) -> None:
    """Run everything on a composed world of pictures, offline: captions, problems, models, scores.

    It works in the folder `rolesynth-demo`, a project of its own with its own data and Dagster
    home, and never mixes with yours. **rolesynth ui --demo** shows it; for any other command on it,
    change into that folder.

    Captions and judgements come from tiny models in this package, stand-ins for models such as
    Qwen2.5-VL-7B, and problems come from a script. CLIP starts from a tiny pretrained model, a
    stand-in for OpenAI's weights; its own scores are those of the recipe `base`. A second run finds
    everything up to date.
    """
    from rolesynth_assets.clip.library import load_recipes

    began = time.perf_counter()
    recipes = load_recipes(None)
    for name in EMBEDDED_ROLE_SETS:
        require_seeds(name, recipes[name].seeds, [seed])
    write_embedded_world(embedded_settings())
    trained = {"base": [0], "roles5": [seed], "generic1": [seed]}
    refresh(
        began,
        CaptionWork(EMBEDDED_ROLE_SETS, trained, ("generated",)),
        partial(embedded_problems, {"base": [0], "synthetic": [seed]}),
    )


def embedded_settings(folder: str = FOLDER) -> Settings:
    """Enter a project of the embedded world, which is offline, even if models are set for others.

    Args:
        folder: name of the project's folder, by default the demo's.
    """
    from rolesynth_assets.settings import Settings

    with suppress(InputError, EngineError):  # the user's settings are not the demo's
        own = Settings.load()
        tell_earlier_demo(own.project, own.data_root)
    print(f"The project: {enter_demo(folder)}")
    return Settings.load()


def write_embedded_world(settings: Settings, size: WorldSize | None = None) -> None:
    """Write and register the images, and write the seeds before the definitions read them.

    Args:
        settings: the project's.
        size: number of images, by default the demo's.
    """
    from rolesynth_assets.embedded.problems.write_seeds import write_seeds
    from rolesynth_assets.embedded.world.write import DEMO_SIZE, write_world
    from rolesynth_assets.images.shards.registry import register_path

    with bars() as reporting:
        reporting("composed world")(0, 1)
        shards = write_world(settings.data_root, size or DEMO_SIZE)
        write_seeds(settings.paths.embedded_seeds)
        reporting("composed world")(1, 1)
    register_path(settings.data_root, shards, "scenes")


def embedded_problems(recipes: Mapping[str, Sequence[int]]) -> ProblemWork:
    """Return the work of CADS and R1 on the embedded domains, with these recipes and seeds."""
    from rolesynth_assets.lineage.refresh.targets import ProblemWork

    rounds = first_rounds(EMBEDDED_ROUNDS)
    return ProblemWork(EMBEDDED_DOMAINS, rounds, recipes, EMBEDDED_DOMAINS)
