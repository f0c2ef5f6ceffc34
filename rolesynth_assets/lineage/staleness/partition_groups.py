"""Which upstream partitions a partition is made from, for whole assets at a time.

Every partition mapping between assets of one or two dimensions is a relation between single
dimensions, with all keys of the dimensions it leaves out. So Dagster is asked once a dimension key,
and partitions made from the same upstream ones share one group.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    BaseAssetGraph,
    BaseMultiPartitionMapping,
    DimensionDependency,
)

SEPARATOR = "|"
"""The separator of the two parts of a key, so it can be in neither. Dagster adds such keys all the
same, to dynamic partitions, and cannot find their partitions afterwards."""
Key = str | None
Values = tuple[str, ...]


@dataclass(eq=False)
class Group:
    """Upstream partitions that belong together: those there are, and those whose key is gone."""

    present: list[Key]
    gone: list[Key]


class Partitions:
    """The keys of an asset's partitions, also by dimension; read inside a partition context.

    Keys of dynamic partitions that hold `SEPARATOR` are left out.
    """

    def __init__(self, definition: dg.PartitionsDefinition | None) -> None:
        self.definition = definition
        self.names: tuple[Key, ...] = ()
        self._dimensions: list[dg.PartitionsDefinition] = []
        if isinstance(definition, dg.MultiPartitionsDefinition):
            # sorted by name, and so are the parts of a key
            self.names = tuple(d.name for d in definition.partitions_defs)
            self._dimensions = [d.partitions_def for d in definition.partitions_defs]
        elif definition is not None:
            self.names, self._dimensions = (None,), [definition]
        self._values: dict[Key, Values] = {None: ()}
        if definition is not None:
            every = itertools.product(*map(_usable_keys, self._dimensions))
            self._values = {SEPARATOR.join(values): values for values in every}
        self.keys: list[Key] = list(self._values)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def values(self, key: Key) -> Values:
        """Return a key's part in each dimension; keys of another shape have none."""
        if key in self._values:
            return self._values[key]
        if key is None or len(self.names) < 2:
            return () if key is None or not self.names else (key,)
        parts = tuple(key.split(SEPARATOR))
        return parts if len(parts) == len(self.names) else ()

    def dimension(self, name: Key) -> tuple[dg.PartitionsDefinition, int]:
        """Return one dimension and its place in a key."""
        place = self.names.index(name)
        return self._dimensions[place], place


def _usable_keys(dimension: dg.PartitionsDefinition) -> list[str]:
    keys = dimension.get_partition_keys()
    if isinstance(dimension, dg.DynamicPartitionsDefinition):
        return [key for key in keys if SEPARATOR not in key]
    return list(keys)


class Dependency:
    """One asset's dependency on another, as a map from partition to group.

    Args:
        graph: the asset graph.
        child: the asset that is made.
        parent: the asset it is made from.
        below: partitions of `child`.
        above: partitions of `parent`.
        stored: upstream keys with content, including keys that are gone.
    """

    def __init__(
        self,
        graph: BaseAssetGraph,
        child: dg.AssetKey,
        parent: dg.AssetKey,
        below: Partitions,
        above: Partitions,
        stored: Collection[Key],
    ) -> None:
        self.parent = parent
        self._below, self._above = below, above
        self._mapping = graph.get_partition_mapping(child, parent)
        self._gone = [key for key in stored if key not in above and above.values(key)]
        self._groups: dict[Values | Key, Group] = {}
        self._mapped: dict[tuple[Key, Key, str], list[str]] = {}
        found = self._relations()
        self._whole = found is None
        self._relations_of: list[DimensionDependency] = found or []
        self._is_identity = all(
            isinstance(relation[0], dg.IdentityPartitionMapping) for relation in self._relations_of
        )
        self._places = [below.dimension(r.downstream_dimension_name)[1] for r in self._relations_of]
        self._indexed: dict[Values, Group] = self._index()

    def group(self, partition: Key) -> Group:
        """Return the upstream partitions that a partition is made from."""
        if self._whole:
            return self._ask(partition)
        values = self._below.values(partition)
        wanted = tuple([values[place] for place in self._places])
        if wanted not in self._groups:
            self._groups[wanted] = self._join(wanted)
        return self._groups[wanted]

    def _relations(self) -> list[DimensionDependency] | None:
        """Return the mapped pairs of dimensions; None where the mapping is about whole keys."""
        above, below, mapping = self._above.definition, self._below.definition, self._mapping
        if above is None or isinstance(mapping, dg.AllPartitionMapping):
            return []
        if below is None:
            return None
        if isinstance(mapping, BaseMultiPartitionMapping):
            found = mapping.get_dimension_dependencies(above, below)
            return [d for d in found if not isinstance(d[0], dg.AllPartitionMapping)]
        if len(self._above.names) == len(self._below.names) == 1:
            return [DimensionDependency(mapping)]
        if isinstance(mapping, dg.IdentityPartitionMapping):
            return [DimensionDependency(mapping, name, name) for name in self._above.names]
        return None

    def _index(self) -> dict[Values, Group]:
        places = [self._above.dimension(r.upstream_dimension_name)[1] for r in self._relations_of]
        index: dict[Values, Group] = {}
        for gone, keys in ((False, self._above.keys), (True, self._gone)):
            for key in keys:
                values = self._above.values(key)
                group = index.setdefault(tuple(values[p] for p in places), Group([], []))
                (group.gone if gone else group.present).append(key)
        return index

    def _join(self, wanted: Values) -> Group:
        if self._is_identity:
            return self._indexed.get(wanted) or Group([], [])
        mapped = [
            self._upstream(relation, value)
            for relation, value in zip(self._relations_of, wanted, strict=True)
        ]
        parts = [self._indexed[v] for v in itertools.product(*mapped) if v in self._indexed]
        if len(parts) == 1:
            return parts[0]
        return Group(
            [key for part in parts for key in part.present],
            [key for part in parts for key in part.gone],
        )

    def _upstream(self, relation: DimensionDependency, value: str) -> Sequence[str]:
        mapping, above, below = relation
        if isinstance(mapping, dg.IdentityPartitionMapping):
            return [value]
        asked = (above, below, value)
        if asked not in self._mapped:
            self._mapped[asked] = _map(
                mapping, value, self._below.dimension(below)[0], self._above.dimension(above)[0]
            )
        return self._mapped[asked]

    def _ask(self, partition: Key) -> Group:
        if partition not in self._groups:
            above = self._above.definition
            assert above is not None
            keys = _map(self._mapping, partition, self._below.definition, above)
            self._groups[partition] = Group([key for key in keys if key in self._above], [])
        return self._groups[partition]


def _map(
    mapping: dg.PartitionMapping,
    key: Key,
    below: dg.PartitionsDefinition | None,
    above: dg.PartitionsDefinition,
) -> list[str]:
    subset = below.empty_subset().with_partition_keys([key]) if below and key is not None else None
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, above)
    return list(found.partitions_subset.get_partition_keys())
