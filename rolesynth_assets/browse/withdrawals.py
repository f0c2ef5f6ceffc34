"""A withdrawal with all that belongs to it: rows, artefacts, and its records in Dagster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables


def take_out(
    settings: Settings,
    store: Store,
    small: SmallTables,
    images: Sequence[str],
    reason: str,
    *,
    dry_run: bool,
) -> Withdrawal:
    """Withdraw images, or find what that would remove; see `lineage.withdraw.withdrawal`.

    Args:
        settings: name the data root and the benchmarks, whose images are compared.
        store: the Lance tables.
        small: the small tables.
        images: whole ids.
        reason: why.
        dry_run: whether to change nothing.
    """
    from rolesynth_assets.benchmarks.contamination import benchmark_images
    from rolesynth_assets.benchmarks.tasks import load_tasks
    from rolesynth_assets.lineage.withdraw.withdrawal import withdraw

    root = settings.data_root
    benchmarks = benchmark_images(load_tasks(settings.benchmarks), root)
    return withdraw(store, small, root, images, reason, benchmarks=benchmarks, dry_run=dry_run)


def record(withdrawal: Withdrawal, store: Store) -> tuple[list[str], list[str]]:
    """Record a withdrawal in Dagster; return the records and the partitions it made stale."""
    import dagster as dg

    from rolesynth_assets.definitions import defs
    from rolesynth_assets.lineage.staleness.staleness import examine
    from rolesynth_assets.lineage.withdraw.dagster_events import report_withdrawal

    graph = defs.resolve_asset_graph()
    with dg.DagsterInstance.get() as instance:
        before = {cell for cell, _ in examine(graph, instance).stale()}
        changes = report_withdrawal(instance, defs, withdrawal, store)
        after = [str(cell) for cell, _ in examine(graph, instance).stale() if cell not in before]
    return changes, after
