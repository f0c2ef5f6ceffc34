"""The record of an ablation as plain JSON data, and its tables on a page.

A page that quotes numbers is made from a record, so that no number is written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolesynth_assets.benchmarks.intervals.paired import PairedDifference, mean_score
from rolesynth_assets.counted import counted
from rolesynth_assets.pictures.differences import DifferenceRow, difference_chart
from rolesynth_assets.pictures.markdown import Markdown, bold, code, table, text
from rolesynth_assets.reports.claims import DEV, Finding, HitsByRecipe, best_on_dev

Record = dict[str, Any]


def ablation_record(
    hits: HitsByRecipe,
    found: Sequence[Finding],
    *,
    images: int,
    schedule: str,
    machine: str,
    sets: Mapping[str, Mapping[str, int]],
    cuts: Mapping[str, Mapping[str, int]],
) -> Record:
    """Return everything that a page says of an ablation.

    Args:
        hits: hits per image of every recipe on every benchmark.
        found: the claims with what was measured.
        images: number of images that were captioned.
        schedule: how long each recipe was trained, in words.
        machine: where, in words.
        sets: by recipe, ``pairs`` and ``images`` of its training set.
        cuts: by role set, ``captions``, ``kept``, ``images`` and ``images_covered``.
    """
    scores: dict[str, dict[str, Any]] = {}
    for (recipe, benchmark), by_seed in sorted(hits.items()):
        scores.setdefault(recipe, {})[benchmark] = _numbers(mean_score(by_seed))
    return {
        "images": images,
        "schedule": schedule,
        "machine": machine,
        "sets": {name: dict(numbers) for name, numbers in sorted(sets.items())},
        "cuts": {name: dict(numbers) for name, numbers in sorted(cuts.items())},
        "best_on_dev": best_on_dev(hits),
        "scores": scores,
        "findings": [
            {
                "says": one.claim.says,
                "ours": one.ours,
                "theirs": one.claim.theirs,
                "benchmark": one.claim.benchmark,
                "margin": one.claim.margin,
                "verdict": str(one.verdict),
                **_numbers(PairedDifference(one.interval, one.seeds, one.images)),
            }
            for one in found
        ],
    }


def _numbers(measured: PairedDifference) -> dict[str, float | int]:
    interval = measured.interval
    return {
        "value": round(100 * interval.value, 2),
        "low": round(100 * interval.low, 2),
        "high": round(100 * interval.high, 2),
        "seeds": measured.seeds,
        "images": measured.images,
    }


def record_markdown(record: Record) -> str:
    """Return what a record says: each claim with its verdict, recipes and cuts."""
    return f"{claim_sentences(record)}\n\n{scores_table(record)}\n\n{cuts_table(record)}\n"


def claim_sentences(record: Record) -> str:
    """Return one line for each claim: its verdict, the sentence and the measured difference."""
    lines = []
    for one in record["findings"]:
        points = f"{one['value']:+.1f} [{one['low']:+.1f}, {one['high']:+.1f}] points"
        against = f"{code(one['ours'])} against {code(one['theirs'])} on {one['benchmark']}"
        measured = f"{one['images']:,} images, {counted_seeds(one['seeds'])}"
        verdict = bold(one["verdict"].capitalize())
        lines.append(f"- {verdict}: {text(one['says'])}: {points} ({against}; {measured}).")
    return "\n".join(lines) or "No two recipes of a claim were scored on one benchmark."


def best_of(record: Record) -> str | None:
    """Return the recipe that was chosen on the dev split; None if none was."""
    return record["best_on_dev"]


def counted_seeds(seeds: int) -> str:
    """Return ``1 seed``, ``2 seeds`` and so on."""
    return counted(seeds, "seed")


def difference_picture(record: Record) -> bytes | None:
    """Draw the differences of all claims, each pair of recipes once; None if there is none."""
    rows = [
        DifferenceRow(
            f"{one['ours']} - {one['theirs']}, {one['benchmark'].removeprefix('scenes_')}",
            one["value"],
            one["low"],
            one["high"],
        )
        for one in record["findings"]
    ]
    axis = "points of R@1, mean of both directions, with 95 % intervals over seeds and images"
    return difference_chart(rows, axis=axis) if rows else None


def scores_table(record: Record) -> Markdown:
    """Return one row for each recipe: its training set, and its score on each benchmark."""
    tasks = sorted({task for by_task in record["scores"].values() for task in by_task})
    tasks.sort(key=lambda task: (task.endswith(DEV), task))
    main = tasks[0] if "scenes_long" not in tasks else "scenes_long"
    names = sorted(
        record["scores"],
        key=lambda name: -record["scores"][name].get(main, {"value": 0})["value"],
    )
    rows = []
    for name in names:
        size, by_task = record["sets"].get(name, {}), record["scores"][name]
        seeds = max(score["seeds"] for score in by_task.values())
        cells = [_score(by_task.get(task)) for task in tasks]
        rows.append([code(name), seeds, *_sizes(size), *cells])
    header = ["recipe", "seeds", "pairs", "images", *tasks]
    return table(header, rows, f"lrrr{'r' * len(tasks)}")


def cuts_table(record: Record) -> Markdown:
    """Return one row for each role set: captions, kept ones, and images with a kept caption."""
    rows = [
        [
            code(name),
            f"{cut['captions']:,}",
            f"{cut['kept']:,}",
            f"{cut['images']:,}",
            f"{cut['images_covered']:,} ({cut['images_covered'] / max(1, cut['images']):.0%})",
        ]
        for name, cut in record["cuts"].items()
    ]
    return table(["role set", "captions", "kept", "images", "images covered"], rows, "lrrrr")


def _sizes(size: Mapping[str, int]) -> list[str]:
    return [f"{size[name]:,}" if name in size else "" for name in ("pairs", "images")]


def _score(score: Mapping[str, float] | None) -> str:
    if score is None:
        return ""
    half = (score["high"] - score["low"]) / 2
    return f"{score['value']:.1f} ± {half:.1f}"
