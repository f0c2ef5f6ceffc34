"""Does CADS work on the embedded world? Intervals over several worlds (`python -m`, from the root).

Three arms run on the same seed problems: K members with context optimisation, the same without it,
and one member K times, who judges at temperature 1 since a greedy judge would agree with itself.
The unit of every interval is the seed problem: its candidates of all rounds hang together.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer

from rolesynth_assets.benchmarks.intervals.bootstrap import Interval, bootstrap_mean
from rolesynth_assets.cads.collective.collective import MOST_ROUNDS, Collective, read_collective
from rolesynth_assets.cads.drawing.factory import make_renderer
from rolesynth_assets.cads.extra_checks.reference_truth import wrong_references
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.seeds.read import seed_id
from rolesynth_assets.cads.values import Decision, Seed
from rolesynth_assets.embedded.problems.pose import held_out
from rolesynth_assets.embedded.problems.solve import true_answer
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets_tests.measurements.cads_arms import arms_of, play


def shares(candidates: pl.DataFrame, flag: str) -> dict[int, Interval]:
    """Return the share of a round's decided candidates that `flag` holds for, by round.

    Round 0 stands for all rounds after the first, which is the same with and without context.

    Args:
        candidates: of one arm: ``seed_id``, ``round_number``, ``decision`` and `flag`.
        flag: a boolean column.
    """
    found = {}
    for number in (*sorted(candidates["round_number"].unique()), 0):
        rows = _decided(_of_round(candidates, number))
        if rows.height:
            clusters = np.unique(rows["seed_id"].to_numpy(), return_inverse=True)[1]
            found[number] = bootstrap_mean(rows[flag].to_numpy().astype(float), clusters)
    return found


def difference(ours: pl.DataFrame, theirs: pl.DataFrame, flag: str) -> dict[int, Interval]:
    """Return the difference of two arms, paired by seed problem, by round as in `shares`.

    The share of each seed problem is taken first, so all seed problems weigh the same; those that
    an arm has decided nothing of are left out.
    """
    found = {}
    for number in (*sorted(ours["round_number"].unique()), 0):
        both = [
            _decided(_of_round(rows, number)).group_by("seed_id").agg(pl.col(flag).mean())
            for rows in (ours, theirs)
        ]
        paired = both[0].join(both[1], on="seed_id", suffix="_theirs").sort("seed_id")
        if paired.height:
            values = (paired[flag] - paired[f"{flag}_theirs"]).to_numpy()
            found[number] = bootstrap_mean(values)
    return found


def _of_round(candidates: pl.DataFrame, number: int) -> pl.DataFrame:
    wanted = pl.col("round_number") == number if number else pl.col("round_number") > 1
    return candidates.filter(wanted)


def _decided(candidates: pl.DataFrame) -> pl.DataFrame:
    return candidates.filter(pl.col("consensus").is_not_null())


def world_seeds(domain: str, count: int, world: int) -> list[Seed]:
    """Return seed problems of one world of the embedded world, all different."""
    seeds: dict[str, Seed] = {}
    for place, item in enumerate(held_out(domain, count, world)):
        problem = f"<image>\n{item.question}"
        key = seed_id(domain, problem, (item.image,))
        source = f"world {world}:{place}"
        seeds[key] = Seed(key, domain, problem, item.answer, (item.image,), source)
    return list(seeds.values())


def page(arms: Mapping[str, pl.DataFrame]) -> str:
    """Write the comparison as Markdown; the first arm is what the others are held against."""
    lines = []
    (first_name, first), *others = arms.items()
    for flag in ("hard", "kept"):
        tables = {f"{name}: {flag}": shares(rows, flag) for name, rows in arms.items()}
        tables |= {
            f"{first_name} minus {name}: {flag}": difference(first, rows, flag)
            for name, rows in others
        }
        numbers = sorted({n for table in tables.values() for n in table}, key=lambda n: n or 99)
        names = [f"round {n}" if n else "after the first" for n in numbers]
        lines += ["| percent of decided | " + " | ".join(names) + " |"]
        lines += ["|---|" + "---:|" * len(names)]
        for name, table in tables.items():
            cells = [_cell(table[n]) if n in table else "" for n in numbers]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    for name, rows in arms.items():
        lines += [f"Kept samples with a wrong reference, {name}:", ""]
        table = wrong_references(rows, true_answer)
        lines += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * table.width]
        for row in table.iter_rows():
            cells = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row)
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(interval: Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.value:.1f} [{low:.1f}, {high:.1f}]"


async def compare(
    collective: Collective, domain: str, worlds: int, seeds: int, alone: str | None
) -> dict[str, pl.DataFrame]:
    """Run all arms over all worlds; returns each arm's candidates, marked with ``kept``."""
    engines = {m.name: make_engine(m.settings(os.environ)) for m in collective.members}
    renderer = make_renderer(collective.renderer, os.environ)
    frames: dict[str, list[pl.DataFrame]] = {}
    try:
        for world in range(worlds):
            given = world_seeds(domain, seeds, world)
            with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "j") as journal:
                for arm in arms_of(collective, engines, alone):
                    made = await play(arm, given, renderer, journal)
                    frames.setdefault(arm.name, []).append(made)
                    typer.echo(f"world {world}, {arm.name}: {made.height} candidates", err=True)
    finally:
        for engine in engines.values():
            await engine.aclose()
        await renderer.aclose()
    return {name: with_kept(pl.concat(parts)) for name, parts in frames.items()}


def with_kept(candidates: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``kept``."""
    return candidates.with_columns(kept=pl.col("decision") == Decision.KEPT.value)


def main(
    collective: Annotated[Path, typer.Option(help="collective file of at least two members")],
    domain: Annotated[str, typer.Option(help="domain of the embedded world")] = "counting",
    worlds: Annotated[int, typer.Option(min=1, help="worlds with seed problems of their own")] = 3,
    seeds: Annotated[int, typer.Option(min=2, help="seed problems in each world")] = 40,
    rounds: Annotated[int, typer.Option(min=2, max=MOST_ROUNDS)] = 4,
    alone: Annotated[str | None, typer.Option(help="member of the third arm")] = None,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write as well")] = None,
) -> None:
    """Print hard and keep shares by round of the three arms, and their wrong references."""
    chosen = read_collective(collective)
    # K candidates of each seed problem in every round, so that no round is empty
    chosen = chosen.model_copy(
        update={"rounds": rounds, "candidates_per_seed": rounds * len(chosen.writers)}
    )
    arms = asyncio.run(compare(chosen, domain, worlds, seeds, alone))
    text = (
        f"Domain {domain}: {worlds} worlds of {seeds} seed problems, {rounds} rounds, "
        f"K = {chosen.K}. 95 % bootstrap intervals over seed problems.\n\n{page(arms)}"
    )
    typer.echo(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
