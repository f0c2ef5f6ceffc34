"""The run that a sensor requests to forget shards whose partition was deleted in Dagster.

A tick writes nothing itself, and what is made before the shards are forgotten would be stale again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.images.shards.registry import load_shards
from rolesynth_assets.lineage.dagster_internals import PARTITION_NAME_TAG, BaseAssetGraph
from rolesynth_assets.lineage.refresh.tagged_runs import ENDED
from rolesynth_assets.lineage.run_process.launcher import WHAT
from rolesynth_assets.lineage.shards import deleted_in_dagster
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from rolesynth_assets.files.object_path import DataPath

FORGETTER = dg.AssetKey("partition_health")
"""The asset whose run brings the registry of shards and Dagster's partitions to agree."""
FORGETS = "rolesynth/forgets"
"""Tag of such a run: a digest of the shards, which differs once one of them was read in again."""
TRIES = 3
"""Runs that may try to forget the same shards."""


@dataclass(frozen=True)
class Forgetting:
    """What a tick does about shards whose partition was deleted.

    Attributes:
        note: what was found; empty if no partition is gone.
        request: the run to start; None if there is nothing to forget, or not now.
        under_way: whether such a run was started and has not ended.
    """

    note: str = ""
    request: dg.RunRequest | None = None
    under_way: bool = False


def request_to_forget(
    graph: BaseAssetGraph, instance: dg.DagsterInstance, root: DataPath
) -> Forgetting:
    """Look for shards whose partition was deleted, and request the run that forgets them.

    Args:
        graph: the asset graph.
        instance: where the partitions and runs are.
        root: the data root, which holds the registry of shards.
    """
    gone = deleted_in_dagster(instance, load_shards(root))
    if not gone or not graph.has(FORGETTER):
        return Forgetting()
    named = f"The partitions of {', '.join(gone)} were deleted in Dagster"
    of = digest("forget", *(f"{shard} {_runs_of(instance, shard)}" for shard in gone))[:16]
    tried = instance.get_runs(dg.RunsFilter(tags={FORGETS: of}))
    if any(run.status not in ENDED for run in tried):
        return Forgetting(f"{named}; the run that forgets them has not ended.", under_way=True)
    if len(tried) >= TRIES:
        return Forgetting(f"{named}, and {len(tried)} runs did not forget them: look at its runs.")
    request = dg.RunRequest(
        run_key=f"forget/{of}/{len(tried)}",
        asset_selection=[FORGETTER],
        tags={FORGETS: of, WHAT: "forget deleted shards"},
    )
    return Forgetting(f"{named}; a run forgets them first.", request)


def _runs_of(instance: dg.DagsterInstance, shard: str) -> int:
    return instance.get_runs_count(dg.RunsFilter(tags={PARTITION_NAME_TAG: shard}))
