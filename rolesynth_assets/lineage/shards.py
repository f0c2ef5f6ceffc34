"""Which image shards there are: the registry on disk and Dagster's partitions, brought to agree.

A shard is forgotten by `rolesynth forget`, or by deleting its partition in Dagster. Its captions
and scores stay stored, so that nothing is paid again if it comes back. Its pairs are dropped with a
reason, and what was made from it is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.shards.locks import changing_shards
from rolesynth_assets.images.shards.registry import forget_shards, load_forgotten, load_shards
from rolesynth_assets.lineage.dagster_internals import (
    DATA_VERSION_TAG,
    PARTITION_NAME_TAG,
    BaseAssetGraph,
)
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.pictures import markdown
from rolesynth_assets.store.left_out import FORGOTTEN

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store

SHARDS = "image_shard"
"""Name of the dynamic partitions, and of the dimension of the assets that they partition."""
IN_THE_UI = "its partition was deleted in Dagster"


def forget(
    instance: dg.DagsterInstance,
    graph: BaseAssetGraph,
    store: Store,
    shards: Sequence[str],
    why: str,
) -> list[Cell]:
    """Forget shards; an interrupted call is completed by the next one.

    Shards that hold the same pictures, and rejected them as duplicates, are to be read in again.

    Args:
        instance: where their partitions are.
        graph: the asset graph.
        store: the Lance tables, below the data root that holds the registry.
        shards: keys of the shards.
        why: a reason, which their last events show.

    Returns:
        The partitions that are gone.
    """
    from rolesynth_assets.images.duplicates import shards_without_copies

    with changing_shards(store.root):
        gone = list(_made_of(instance, graph, shards))
        heirs = shards_without_copies(store, shards)
        for shard in shards:
            _drop_pairs(store, shard)
            store.prune("images", {"shard": shard}, [])  # else copies elsewhere were duplicates
        for cell in gone:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    asset_key=dg.AssetKey.from_user_string(cell.asset),
                    partition=cell.partition,
                    description=f"The shard was forgotten: {markdown.text(why)}. "
                    "Its rows are in no training set.",
                    tags={DATA_VERSION_TAG: FORGOTTEN},
                )
            )
        for shard in shards:
            instance.delete_dynamic_partition(SHARDS, shard)
        forget_shards(store.root, shards)
        read_anew(instance, store.root, sorted(set(heirs) & set(load_shards(store.root))))
    return gone


def agree_on_shards(
    instance: dg.DagsterInstance, graph: BaseAssetGraph, root: DataPath
) -> tuple[list[str], list[str]]:
    """Add partitions for new shards, and forget the shards whose partition was deleted.

    Args:
        instance: where the partitions are.
        graph: the asset graph.
        root: the data root, which holds the registry and the tables.

    Returns:
        The keys of all shards, sorted, and those of the shards that were forgotten just now.
    """
    with changing_shards(root):
        registered = load_shards(root)
        deleted = deleted_in_dagster(instance, registered)
        if deleted:
            from rolesynth_assets.store.lance.store import Store

            forget(instance, graph, Store(str(root)), deleted, IN_THE_UI)
        shards = sorted(set(registered) - set(deleted))
        if new := sorted(set(shards) - set(instance.get_dynamic_partitions(SHARDS))):
            instance.add_dynamic_partitions(SHARDS, new)
        gone = set(load_forgotten(root)) - set(registered)
        for key in gone & set(instance.get_dynamic_partitions(SHARDS)):
            instance.delete_dynamic_partition(SHARDS, key)  # a `forget` ended in between
        return shards, deleted


def forgotten_words(shard: str) -> str:
    """Say that a shard was forgotten because its partition is gone, and how it comes back."""
    return (
        f"shard {shard} is forgotten, because its partition was deleted in Dagster; "
        "`rolesynth ingest PATH --again` brings it back"
    )


def deleted_in_dagster(instance: dg.DagsterInstance, registered: Collection[str]) -> list[str]:
    """Return registered shards without a partition that this instance has run before.

    An instance that is new has run none, so it forgets nothing.
    """
    absent = sorted(set(registered) - set(instance.get_dynamic_partitions(SHARDS)))
    return [
        shard
        for shard in absent
        if instance.get_runs(dg.RunsFilter(tags={PARTITION_NAME_TAG: shard}), limit=1)
    ]


def read_anew(
    instance: dg.DagsterInstance, data_root: DataPath | str, shards: Sequence[str]
) -> None:
    """Make shards stale whose files are others now, until they are read in again."""
    with changing_shards(data_root):
        for shard in shards:
            instance.delete_dynamic_partition(SHARDS, shard)
        instance.add_dynamic_partitions(SHARDS, shards)


def _made_of(
    instance: dg.DagsterInstance, graph: BaseAssetGraph, shards: Sequence[str]
) -> Iterator[Cell]:
    """Yield the partitions of these shards that were made."""
    wanted = set(shards)
    for key in graph.toposorted_asset_keys:
        definition = graph.get(key).partitions_def
        if isinstance(definition, dg.MultiPartitionsDefinition):
            names = [dimension.name for dimension in definition.partitions_defs]
        elif isinstance(definition, dg.DynamicPartitionsDefinition):
            names = [definition.name]
        else:
            continue
        if SHARDS not in names:
            continue
        place = names.index(SHARDS)
        for partition in sorted(instance.get_materialized_partitions(key)):
            parts = partition.split("|")
            if len(parts) == len(names) and parts[place] in wanted:
                yield Cell(key.to_user_string(), partition)


def _drop_pairs(store: Store, shard: str) -> None:
    """Mark the pairs of a shard as dropped, with that reason."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stored = store.read("pairs", None, where=f"shard = '{shard}'")
    for role_set in stored["role_set"].unique().to_pylist():
        rows = stored.filter(pc.field("role_set") == role_set)
        dropped = {
            "kept": pa.repeat(pa.scalar(False), rows.num_rows),
            "reason": pa.repeat(pa.scalar(FORGOTTEN), rows.num_rows),
        }
        for name, column in dropped.items():
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, rows.schema.field(place), column)
        store.replace("pairs", {"shard": shard, "role_set": role_set}, rows)
