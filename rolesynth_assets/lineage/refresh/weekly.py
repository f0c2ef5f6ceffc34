"""What a scheduled refresh makes: what is stale, and what is new of what is in use already.

Nothing that was never used is begun by a clock: no new role set, recipe, seed or domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.lineage.refresh.rematerialize import Wanted
from rolesynth_assets.lineage.refresh.targets import targets
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness


def due_this_week(
    staleness: Staleness,
    shards: Sequence[str],
    recipes: Mapping[str, Recipe],
    benchmarks: Sequence[str],
) -> Wanted:
    """Choose what a refresh makes.

    Args:
        staleness: the state before it.
        shards: all registered image shards.
        recipes: recipes there are, by name.
        benchmarks: tasks whose files are at hand.

    Returns:
        True for what is stale, for new shards through all role sets in use, for what is missing of
        recipes and seeds in use, and for the next round of each CADS domain in use.
    """
    trained: dict[str, list[int]] = {}
    for recipe, seed in _made(staleness, "clip_checkpoints"):
        if recipe in recipes:
            trained.setdefault(recipe, []).append(int(seed))
    plan = targets(
        shards,
        sorted({role_set for _, role_set in _made(staleness, "raw_captions")}),
        [(recipes[name], seeds) for name, seeds in trained.items()],
        benchmarks if trained else [],
    )
    new = {Cell(target.asset, partition) for target in plan for partition in target.partitions}
    new |= set(next_rounds(staleness))

    def wanted(cell: Cell, status: Status) -> bool:
        return status is Status.STALE or cell in new

    return wanted


def next_rounds(staleness: Staleness) -> Iterator[Cell]:
    """Yield the round after the last one made of each CADS domain in use, one a refresh.

    A round is made from the one before, so weeks that were missed are not skipped: the domain goes
    on where it stopped. Seeds that have had their ten rounds cost nothing in it.
    """
    by_domain: dict[str, list[tuple[str, Status]]] = {}
    for partition, state in staleness.states.get("cads_rounds", {}).items():
        domain, round_key = str(partition).split("|")
        by_domain.setdefault(domain, []).append((round_key, state.status))
    for domain, rounds in by_domain.items():
        rounds.sort()
        made = [place for place, (_, status) in enumerate(rounds) if status is not Status.MISSING]
        if made and made[-1] + 1 < len(rounds):
            yield Cell("cads_rounds", f"{domain}|{rounds[made[-1] + 1][0]}")


def _made(staleness: Staleness, asset: str) -> Iterator[tuple[str, str]]:
    """Yield both parts of the keys of a two-dimensional asset's partitions that were made."""
    for partition, state in staleness.states.get(asset, {}).items():
        if state.status is not Status.MISSING:
            first, second = str(partition).split("|")
            yield first, second
