"""The summary at the end of a refresh, printed on the terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from rolesynth_assets.cads.collective.collective import choose_collective
from rolesynth_assets.cli.demo_project import project_command
from rolesynth_assets.cli.summary.caption_counts import summarise_role_set, summarise_scores
from rolesynth_assets.cli.summary.problem_tables import LEGEND, problem_tables
from rolesynth_assets.counted import counted
from rolesynth_assets.r1.library import load_r1_recipes
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.runner import RefreshReport
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables

_LEGEND = (
    "images: those with a kept caption. "
    "Vendi, cosine, BLEU: how different an image's captions are (effective number, mean "
    "similarity, self-BLEU).\n"
    "precision, recall: true captions among the kept, kept among the true; "
    "random: precision of a random cut of equal size."
)


def print_summary(
    settings: Settings,
    report: RefreshReport,
    shards: Sequence[str],
    role_sets: Sequence[str],
    recipes: Sequence[str],
    began: float,
    problems: ProblemWork | None = None,
) -> None:
    """Print partitions made, rows per stage, filter, diversity, scores and wall time."""
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables

    console = Console(width=max(132, Console().width))
    store = Store(str(settings.data_root))
    console.print()
    console.print(_stages(report, store, shards))
    if rejects := _rejects(store, shards):
        counts = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(rejects).items()))
        console.print(f"Files that are no usable images: {counts} (`rolesynth rejects` lists them)")
    small = SmallTables(settings.data_root)
    if role_sets:
        table = _role_sets(store, small, role_sets, shards)
        table.title = f"Captions and filter{by_stand_ins(settings)}"
        console.print(table)
        console.print(_LEGEND, style="dim")
    if recipes:
        console.print(_scores(small, recipes))
    if problems:
        collective = choose_collective(settings.collective, settings.collectives)
        known = load_r1_recipes(settings.project / "r1_recipes")
        for table in problem_tables(store, small, problems, collective, known):
            console.print(table)
        console.print(LEGEND, style="dim")
    for warning in report.warnings:
        console.print(f"check: {warning}", style="yellow", markup=False, highlight=False)
    ran = sum(report.ran.values())
    made = f"{counted(ran, 'partition')} made"
    state = made if ran else "everything was up to date, no model was called"
    if report.submitted:
        state = f"{made}, {len(report.submitted)} wait for batches"
    if report.failed:
        state = f"{made}, {len(report.failed)} failed"
    seconds = time.perf_counter() - began
    console.print(
        f"\n{state}, {seconds:.0f} s. See lineage, checks and pictures: "
        f"[bold]{project_command('ui', settings.project)}[/]; look at images and captions, search "
        f"and review: [bold]{project_command('browse', settings.project)}[/]"
    )


def _rejects(store: StoreReader, shards: Sequence[str]) -> list[str]:
    """Return the reasons of all rejected files of some shards."""
    rows = store.read("image_rejects", None, ["shard", "reason"]) if shards else None
    known = set(shards)
    return [r["reason"] for r in rows.to_pylist() if r["shard"] in known] if rows else []


def _stages(report: RefreshReport, store: StoreReader, shards: Sequence[str]) -> Table:
    rows = {
        "image_shards": sum(store.count("images", {"shard": s}) for s in shards),
        "role_lists": store.count("roles"),
        "raw_captions": store.count("captions"),
        "caption_scores": store.count("scores"),
        "filtered_pairs": store.count("pairs"),
    }
    table = Table(title="Stages", title_justify="left")
    for column, side in (
        ("asset", "left"),
        ("made", "right"),
        ("up to date", "right"),
        ("rows", "right"),
    ):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for asset, made in report.ran.items():
        if not made and not report.fresh[asset]:
            continue  # no partition of it was requested
        stored = f"{rows[asset]:,}" if asset in rows else ""
        table.add_row(asset, str(made), str(report.fresh[asset]), stored)
    return table


def by_stand_ins(settings: Settings) -> str:
    """Return in brackets what the embedded model did; empty if real models did everything."""
    engines = {"written": settings.captioner, "judged": settings.judge}
    done = [what for what, model in engines.items() if model.engine == "embedded"]
    return f" ({' and '.join(done)} by the embedded nano MLLM, a stand-in)" if done else ""


def _role_sets(
    store: StoreReader, small: SmallTables, names: Sequence[str], shards: Sequence[str]
) -> Table:
    found = [summarise_role_set(store, small, name, shards) for name in names]
    table = Table(title_justify="left")
    table.add_column("role set", no_wrap=True)
    for column in (
        "captions",
        "failed",
        "kept",
        "images",
        "Vendi",
        "cosine",
        "BLEU",
        "true objects",
        "precision",
        "random",
        "recall",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for s in found:
        table.add_row(
            s.role_set,
            f"{s.captions:,}",
            f"{s.failed:,}",
            f"{s.kept:,} ({s.kept_share:.0%})",
            f"{s.images_covered:,} ({s.images_covered / max(1, s.images):.0%})",
            _number(s.vendi, "{:.2f}"),
            _number(s.similarity, "{:.2f}"),
            _number(s.self_bleu, "{:.1f}"),
            _number(s.object_precision, "{:.1%}"),
            _number(s.precision, "{:.1%}"),
            _number(s.random_precision, "{:.1%}"),
            _number(s.recall, "{:.1%}"),
        )
    return table


def _scores(small: SmallTables, recipes: Sequence[str]) -> Table:
    table = Table(title="Benchmarks, % with 95 % intervals", title_justify="left")
    for column in ("benchmark", "metric", *recipes, "chance"):
        table.add_column(column, justify="left" if column in ("benchmark", "metric") else "right")
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in summarise_scores(small, recipes).iter_rows(named=True):
        line = cells.setdefault((row["benchmark"], row["metric"]), {})
        line[row["recipe"]] = (
            f"{100 * row['value']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
        )
        line["chance"] = f"{100 * row['chance']:.1f}"
    for (benchmark, metric), line in cells.items():
        name = metric.replace("_", " ").replace(" r", " R@")
        table.add_row(benchmark, name, *(line.get(r, "") for r in recipes), line["chance"])
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
