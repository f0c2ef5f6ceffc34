"""`rolesynth problems`, which makes problems from a domain's seeds and trains policies on them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.refresh import first_rounds, refresh, require_seeds
from rolesynth_assets.cli.spending.question import Yes
from rolesynth_assets.cli.work.failures import missing_benchmark

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
    from rolesynth_assets.r1.recipe import R1Recipe
    from rolesynth_assets.settings import Settings


def problems(
    domain: Annotated[
        list[str],
        typer.Argument(
            help="Domain from whose seeds problems are made: NAME means seeds/NAME.jsonl, "
            "seeds/NAME.parquet or a folder seeds/NAME of such files."
        ),
    ],
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Number of weekly rounds to make of each domain, from the first."),
    ] = 1,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="R1 recipe to train and score, such as base, synthetic or one in r1_recipes/; its "
            "baseline has to be among them; repeatable."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            help="Training seed of the recipes; by default the first one of each; repeatable."
        ),
    ] = None,
    again: Annotated[
        str,
        typer.Option(
            help="Make the calls again that failed for these reasons, such as truncated,refused, "
            "and play the rounds on with what they answer."
        ),
    ] = "",
    yes: Yes = False,
) -> None:
    """Have a collective of models write, draw and judge problems of a domain; train R1 on them.

    Each line of `seeds/geometry.jsonl` has a `problem` or a `description`. ROLESYNTH_COLLECTIVE, or
    `collective` in rolesynth.yaml, names the collective. Replies are kept in a journal, so that no
    request is paid twice. What the members will be asked is printed first, and begins after a yes.

    For example, two rounds:

    **rolesynth problems geometry --rounds 2**

    and GRPO on their problems, compared with the untrained model:

    **rolesynth problems geometry --rounds 2 --recipe base --recipe synthetic --seed 0**
    """
    from rolesynth_assets.cads.collective.collective import choose_collective
    from rolesynth_assets.r1.library import load_r1_recipes
    from rolesynth_assets.settings import Settings

    began = time.perf_counter()
    settings = Settings.load()
    choose_collective(settings.collective, settings.collectives)
    recipes = load_r1_recipes(settings.project / "r1_recipes")
    seeds = _training_seeds(recipes, recipe or (), seed)
    refresh(
        began,
        problems=lambda: _work(settings, domain, rounds, seeds),
        problems_again=_failures(again),
        yes=yes,
    )


def _failures(again: str) -> list[str]:
    if not again.strip():
        return []
    from rolesynth_assets.cli.work.problems_again import known_failures

    return known_failures(again)


def _work(
    settings: Settings, domains: Sequence[str], rounds: int, recipes: Mapping[str, Sequence[int]]
) -> ProblemWork:
    from rolesynth_assets.defs.wiring import r1_partitions
    from rolesynth_assets.lineage.refresh.targets import ProblemWork

    _require_domains(settings, domains)
    benchmarks = r1_partitions.R1_BENCHMARKS if recipes else {}
    return ProblemWork(
        domains=list(dict.fromkeys(domains)),
        rounds=first_rounds(rounds),
        recipes=recipes,
        benchmarks=[name for name, of in benchmarks.items() if _readable(of, settings)],
    )


def _require_domains(settings: Settings, asked: Sequence[str]) -> None:
    from rolesynth_assets.defs.wiring import partitions

    partitions.SEED_FILES.require(asked)
    known = sorted(partitions.SEED_FILES)
    if unknown := sorted(set(asked) - set(known)):
        there = f"there are {', '.join(known)}" if known else "there is none yet"
        raise typer.BadParameter(
            f"no domain {', '.join(unknown)}; {there}. To add it, write a file "
            f"{settings.seeds}/{unknown[0]}.jsonl with a `problem` or a `description` in each line"
        )


def _training_seeds(
    known: Mapping[str, R1Recipe], asked: Sequence[str], seeds: Sequence[int] | None
) -> dict[str, list[int]]:
    """Return the seeds to train by recipe; a recipe without training keeps its first seed."""
    from rolesynth_assets.r1.recipe import Training

    if missing := sorted(set(asked) - set(known)):
        raise typer.BadParameter(f"no R1 recipe {', '.join(missing)}; there are {', '.join(known)}")
    if seeds and not asked:
        raise typer.BadParameter("--seed goes with --recipe")
    chosen = {}
    for name in asked:
        wanted = known[name]
        if wanted.baseline is not None and wanted.baseline not in asked:
            raise typer.BadParameter(
                f"recipe {name} is compared with {wanted.baseline}: add --recipe {wanted.baseline}"
            )
        if seeds and wanted.training is not Training.NONE:
            require_seeds(name, wanted.seeds, seeds)
            chosen[name] = list(dict.fromkeys(seeds))
        else:
            chosen[name] = [wanted.seeds[0]]
    return chosen


def _readable(benchmark: R1Benchmark, settings: Settings) -> bool:
    """Return whether a benchmark's files exist; print a message if they do not."""
    from rolesynth_assets.r1.benchmarks.items import available

    there = available(benchmark, settings.data_root)
    if not there:
        missing_benchmark(benchmark.name, benchmark.folder(settings.data_root))
    return there
