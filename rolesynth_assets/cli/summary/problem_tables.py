"""Tables of CADS and R1 at the end of a refresh, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from rolesynth_assets.cli.summary.problem_counts import (
    summarise_r1,
    summarise_rounds,
    summarise_sets,
)

if TYPE_CHECKING:
    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.r1.recipe import R1Recipe
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables

STAND_IN = "embedded stand-ins"
LEGEND = (
    "kept: at least one judge reached the reference; hard: and at least one did not; in % of "
    "decided.\n"
    "wrong: kept references that the drawn picture disproves; checked: after all extra checks."
)


def problem_tables(
    store: StoreReader,
    small: SmallTables,
    work: ProblemWork,
    collective: Collective,
    recipes: Mapping[str, R1Recipe],
) -> Iterator[Table]:
    """Yield a table of the rounds, one of the sets, and one of the policies if any were requested.

    Args:
        store: the tables of CADS.
        small: the scores of R1.
        work: the work that the refresh covered.
        collective: collective that made the problems; the title marks stand-ins.
        recipes: all R1 recipes by name; the title marks stand-ins.
    """
    yield _rounds(store, work, _note(m.engine == "embedded" for m in collective.members))
    yield _sets(store, work)
    if work.recipes:
        yield _policies(small, work, _note(recipes[name].stand_in for name in work.recipes))


def _note(stand_ins: Iterable[bool]) -> str:
    return f" ({STAND_IN})" if any(stand_ins) else ""


def _rounds(store: StoreReader, work: ProblemWork, note: str) -> Table:
    table = Table(title=f"Problems by the collective{note}", title_justify="left")
    table.add_column("domain")
    table.add_column("round")
    for column in ("candidates", "kept", "hard", "wrong", "kept, checked", "wrong, checked"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in summarise_rounds(store, work.domains, work.rounds):
        table.add_row(
            row.domain,
            row.round_key,
            str(row.candidates),
            _share(row.kept, row.decided),
            _share(row.hard, row.decided),
            "" if row.wrong is None else str(row.wrong),
            str(row.kept_checked),
            "" if row.wrong_checked is None else str(row.wrong_checked),
        )
    return table


def _sets(store: StoreReader, work: ProblemWork) -> Table:
    table = Table(title="Problems of the sets", title_justify="left")
    table.add_column("domain")
    for column in ("in the set", "refused", "with those refused"):
        table.add_column(column, justify="right")
    for row in summarise_sets(store, work.domains):
        refused = ", ".join(f"{count} {reason}" for reason, count in row.refused.items())
        every = row.kept + sum(row.refused.values())
        table.add_row(row.domain, str(row.kept), refused or "none", str(every))
    return table


def _policies(small: SmallTables, work: ProblemWork, note: str) -> Table:
    recipes = list(work.recipes)
    title = f"R1 policies, accuracy in % with 95 % intervals{note}"
    table = Table(title=title, title_justify="left")
    for column in ("benchmark", *recipes, "chance"):
        table.add_column(column, justify="left" if column == "benchmark" else "right")
    lines: dict[str, dict[str, str]] = {}
    for row in summarise_r1(small, recipes, work.benchmarks).iter_rows(named=True):
        line = lines.setdefault(row["benchmark"], {"chance": f"{100 * row['chance']:.1f}"})
        value, low, high = (100 * row[name] for name in ("value", "low", "high"))
        line[row["recipe"]] = f"{value:.1f} [{low:.1f}, {high:.1f}]"
    for benchmark, line in lines.items():
        table.add_row(benchmark, *(line.get(column, "") for column in (*recipes, "chance")))
    return table


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else str(part)
