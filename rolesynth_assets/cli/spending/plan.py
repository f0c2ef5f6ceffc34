"""The plan of what some partitions will ask of models, but for the embedded ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cli.spending.expected import Plan
from rolesynth_assets.lineage.refresh.asking_assets import (
    ASK_CAPTIONER,
    ASK_COLLECTIVE,
    ASK_JUDGE,
)

if TYPE_CHECKING:
    import dagster as dg

    from rolesynth_assets.settings import Settings


def plan_spending(
    settings: Settings,
    instance: dg.DagsterInstance,
    work: Mapping[str, Sequence[str]],
    again: Sequence[str] = (),
) -> Plan:
    """Count what partitions will ask.

    Args:
        settings: the project's models, prices and collective.
        instance: holds what earlier work took.
        work: partitions that will be made, by asset; only assets that ask models matter.
        again: reasons of rows that are asked again.

    Raises:
        EngineError: a server does not say which model it serves.
        CollectiveError: no usable collective is chosen.
    """
    from rolesynth_assets.cli.spending.captions import Missing
    from rolesynth_assets.cli.spending.problems import expected_roles, expected_rounds
    from rolesynth_assets.images.shards.planned_again import lies_in
    from rolesynth_assets.images.shards.registry import load_shards
    from rolesynth_assets.store.lance.store import Store

    store = Store(str(settings.data_root))
    rows = Missing(settings, store, again)
    counted = settings.captioner.counted or settings.judge.counted
    captions, scores = (
        [(shard, role_set) for shard, _, role_set in (key.partition("|") for key in keys)]
        for keys in (work.get("raw_captions", ()), work.get("caption_scores", ()))
    )
    rounds = work.get("cads_rounds", ())
    asked = [
        *expected_roles(settings, work.get("role_lists", ())),
        *(rows.count(captions, [*dict.fromkeys([*captions, *scores])]) if counted else ()),
        *expected_rounds(settings, store, instance, rounds),
    ]
    by_shard = rows.by_shard()
    shards = {k: s for k, s in load_shards(settings.data_root).items() if k in by_shard}
    world = settings.paths.embedded_world
    return Plan(
        tuple(kind for kind in asked if kind.calls),
        tuple(by_shard.most_common()),
        tuple(key for key, shard in shards.items() if lies_in(shard, world)),
        _counted_assets(settings, bool(rounds)),
        rows.submitted,
    )


def _counted_assets(settings: Settings, rounds: bool) -> frozenset[str]:
    """Return the assets whose models are not embedded."""
    from rolesynth_assets.cads.collective.collective import choose_collective
    from rolesynth_assets.cli.spending.problems import counted

    assets = set[str]()
    if settings.captioner.counted:
        assets.update(ASK_CAPTIONER)
    if settings.judge.counted:
        assets.update(ASK_JUDGE)
    if rounds and counted(choose_collective(settings.collective, settings.collectives)):
        assets.update(ASK_COLLECTIVE)
    return frozenset(assets)
