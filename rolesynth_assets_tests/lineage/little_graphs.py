"""Small asset graphs over one instance, to be changed and run step by step."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sql
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness, examine

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class World:
    """What assets return, by cell; and the instance that records what was made of it.

    Attributes:
        contents: data version by asset and partition; None leaves it to Dagster.
        ran: cells in the order in which they were made.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.contents: dict[tuple[str, str | None], str] = {}
        self.ran: list[Cell] = []

    def asset(
        self,
        name: str,
        partitions: dg.PartitionsDefinition | None = None,
        deps: Sequence[Any] = (),
        code_version: str | None = "1",
        versioned: bool = True,
        metadata_of_run: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> dg.AssetsDefinition:
        """An asset whose data version is what the world holds for it, "0" at first."""

        @dg.asset(
            name=name,
            partitions_def=partitions,
            deps=deps,
            code_version=code_version,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            **settings,
        )
        def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            keys = context.partition_keys if context.has_partition_key_range else [None]
            if context.has_partition_key:
                keys = [context.partition_key]
            self.ran += [Cell(name, key) for key in keys]
            content = self.contents.get((name, keys[0]), "0")
            return dg.MaterializeResult(
                data_version=dg.DataVersion(content) if versioned else None,
                metadata=metadata_of_run,
            )

        return made  # type: ignore[return-value]

    def make(
        self,
        assets: Sequence[Any],
        name: str,
        partition: str | None = None,
        *,
        through: str | None = None,
        resources: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run one asset, for a partition, or for all from `partition` to `through` in one run."""
        of_range = (
            {
                "dagster/asset_partition_range_start": partition or "",
                "dagster/asset_partition_range_end": through,
            }
            if through
            else {}
        )
        return dg.materialize(
            assets,
            resources=resources,
            selection=[name],
            instance=self.instance,
            partition_key=None if through else partition,
            tags={**of_range, **(tags or {})},
            run_config=QUIET,
            raise_on_error=False,
        )

    def report(self, name: str, partition: str, version: str) -> None:
        """Record content that was made elsewhere."""
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                name, partition=partition, tags={"dagster/data_version": version}
            )
        )

    def repeat(self, name: str, like: str, partitions: Sequence[str]) -> None:
        """Record for more partitions what the latest event of one of them says, in one write."""
        storage = self.instance.event_log_storage
        assert isinstance(storage, SqlEventLogStorage)
        key = dg.AssetKey(name).to_string()
        events, tags = SqlEventLogStorageTable, AssetEventTagsTable
        with storage.index_connection() as connection:
            made = sql.select(events).where(
                events.c.asset_key == key,
                events.c.partition == like,
                events.c.dagster_event_type == "ASSET_MATERIALIZATION",
            )
            event = connection.execute(made.order_by(events.c.id.desc())).mappings().first()
            assert event
            of_event = sql.select(tags).where(tags.c.event_id == event["id"])
            tagged = connection.execute(of_event).mappings().fetchall()
            (last,) = connection.execute(sql.select(sql.func.max(events.c.id))).fetchone() or (0,)
            ids = dict(zip(partitions, range(last + 1, last + 1 + len(partitions)), strict=True))
            connection.execute(
                events.insert(), [{**event, "id": ids[p], "partition": p} for p in partitions]
            )
            without_id = [{k: v for k, v in tag.items() if k != "id"} for tag in tagged]
            connection.execute(
                tags.insert(), [{**t, "event_id": ids[p]} for p in partitions for t in without_id]
            )

    def staleness(self, assets: Iterable[Any], **settings: Any) -> Staleness:
        graph = dg.Definitions(assets=list(assets)).resolve_asset_graph()
        return examine(graph, self.instance, **settings)

    def dagster_says(self, assets: Iterable[Any], cell: Cell) -> Status:
        graph = dg.Definitions(assets=list(assets)).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(
            self.instance, graph, LoadingContextForTest(self.instance)
        )
        status = resolver.get_status(dg.AssetKey(cell.asset), cell.partition)
        return Status(status.value.lower())


def causes(staleness: Staleness, asset: str, partition: str | None = None) -> list[str]:
    """The causes of a cell in words."""
    return [str(cause) for cause in staleness.state(Cell(asset, partition)).causes]


FIRST_ROUNDS = ("a|2026-01-04", "a|2026-01-11")


def rounds(world: World, code_version: str = "1") -> list:
    """An asset of rounds, each made from the one before, as `cads_rounds` is."""
    weeks = dg.WeeklyPartitionsDefinition(start_date="2026-01-04", end_date="2026-01-19")
    both = dg.MultiPartitionsDefinition(
        {"week": weeks, "domain": dg.StaticPartitionsDefinition(["a"])}
    )
    before = dg.MultiPartitionMapping(
        {
            "domain": dg.DimensionPartitionMapping("domain", dg.IdentityPartitionMapping()),
            "week": dg.DimensionPartitionMapping(
                "week", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
            ),
        }
    )
    dep = dg.AssetDep("rounds", partition_mapping=before)
    return [world.asset("rounds", both, [dep], code_version=code_version)]
