"""The record of the ablation that is in the small tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.benchmarks.intervals.paired import hits_from_rankings
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.reports.ablation_record import Record, ablation_record
from rolesynth_assets.reports.claims import findings

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables

_RANKED = ("recipe", "benchmark", "seed", "direction", "image", "rank")


def gather_record(store: StoreReader, small: SmallTables, recipes: Mapping[str, Recipe]) -> Record:
    """Return the record of everything that was scored.

    Args:
        store: holds ``rankings``.
        small: holds ``training_sets`` and ``cutoffs``.
        recipes: recipes by name, for their schedules.
    """
    import polars as pl

    hits = hits_from_rankings(pl.DataFrame(store.read("rankings", None, _RANKED)))
    scored = {recipe for recipe, _ in hits}
    rows = small.read("training_sets").to_dicts()
    sets = {
        row["recipe"]: {"pairs": row["pairs"], "images": row["images"]}
        for row in rows
        if row["recipe"] in scored
    }
    used = {row["role_set"] for row in rows if row["recipe"] in scored}
    cuts = _cuts(small.read("cutoffs"), used)
    return ablation_record(
        hits,
        findings(hits),
        images=max((cut["images"] for cut in cuts.values()), default=0),
        schedule=_schedules([recipes[name] for name in sorted(scored & set(recipes))]),
        machine=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        sets=sets,
        cuts=cuts,
    )


def _cuts(rows: pl.DataFrame, role_sets: set[str]) -> dict[str, dict[str, int]]:
    cuts: dict[str, dict[str, int]] = {}
    for row in rows.iter_rows(named=True):
        if row["role_set"] not in role_sets or row["images"] is None:
            continue  # cut by an earlier version, which did not count images
        cut = cuts.setdefault(row["role_set"], {"captions": 0, "kept": 0})
        cut["captions"] += row["candidates"] + (row["unscored"] or 0)
        cut["kept"] += row["kept"] + (row["floor_kept"] or 0)
        cut |= {"images": row["images"], "images_covered": row["images_covered"]}
    return cuts


def _schedules(recipes: list[Recipe]) -> str:
    said = {_schedule(recipe) for recipe in recipes if recipe.schedule.steps != 0}
    return " or ".join(sorted(said))


def _schedule(recipe: Recipe) -> str:
    schedule = recipe.schedule
    length = f"{schedule.steps} steps" if schedule.steps else f"{schedule.epochs} epochs"
    return f"{length} of {schedule.batch_images} images"
