"""Everything this package takes from Dagster's private modules, read from dagster 1.13.27.

Private names may move or change with any release, so no other module imports one, and a test checks
that. At an upgrade of Dagster, read each of them again and change `READ_FROM`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

# 1.13.27: what `Definitions.resolve_asset_graph` returns; the public API has no name for it.
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

# 1.13.27: tags of a materialization that record what it was made from. The public
# `OpExecutionContext.get_asset_provenance` gives them for one partition within a run alone.
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
    NULL_EVENT_POINTER,
)

# 1.13.27: how a mapping relates dimensions, asked once for a dimension and not once for a key.
from dagster._core.definitions.partitions.mapping.multi.base import (
    BaseMultiPartitionMapping,
    DimensionDependency,
)

# 1.13.27: backfills that were asked for in the UI and are not done; no public API lists them.
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

# 1.13.27: the instance's dynamic partitions, read once for each definition.
from dagster._core.instance.types import CachingDynamicPartitionsLoader

# 1.13.27: what the timeline and the jobs' pages know a run by; no public API names it.
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

# 1.13.27: what a recorded check came to, as its table has it; no public API gives it.
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
)

# 1.13.27: the event log's tables. Public methods need a query for each partition.
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    DynamicPartitionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

# 1.13.27: which partitions a run makes.
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, PARTITION_NAME_TAG

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = [
    "ASSET_PARTITION_RANGE_END_TAG",
    "CODE_VERSION_TAG",
    "DATA_VERSION_IS_USER_PROVIDED_TAG",
    "DATA_VERSION_TAG",
    "INPUT_DATA_VERSION_TAG_PREFIX",
    "INPUT_EVENT_POINTER_TAG_PREFIX",
    "NULL_EVENT_POINTER",
    "PARTITION_NAME_TAG",
    "READ_FROM",
    "AssetCheckExecutionRecordStatus",
    "AssetCheckExecutionsTable",
    "AssetEventTagsTable",
    "AssetKeyTable",
    "BaseAssetGraph",
    "BaseMultiPartitionMapping",
    "BulkActionStatus",
    "BulkActionsFilter",
    "CachingDynamicPartitionsLoader",
    "DimensionDependency",
    "DynamicPartitionsTable",
    "SqlEventLogStorage",
    "SqlEventLogStorageTable",
    "few_partition_queries",
    "last_wipe",
    "runs_of",
    "webserver_app",
]

READ_FROM = "1.13.27"
"""The version of Dagster whose private modules these names were read from."""


def last_wipe(details: str) -> float | None:
    """Return when an asset was wiped last, in seconds since 1970; None if it never was.

    Args:
        details: the column `asset_details` of `AssetKeyTable`.
    """
    from dagster._core.assets import AssetDetails  # 1.13.27: the value stored in that column

    return dg.deserialize_value(details, AssetDetails).last_wipe_timestamp


@contextmanager
def runs_of(
    instance: dg.DagsterInstance, location: str, repository: str, job: str
) -> Iterator[None]:
    """Let the UI know runs that are executed in process: as runs of a job of a code location.

    `execute_in_process` takes no origin, without which the timeline and the job's page leave a run
    out, so the instance adds it while the block lasts.
    """
    created = instance.create_run_for_job  # 1.13.27: what `execute_in_process` asks for its run
    origin = RemoteJobOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), repository), job
    )

    def create_run_for_job(*given: Any, **named: Any) -> dg.DagsterRun:
        return created(*given, **{**named, "remote_job_origin": origin})

    instance.__dict__["create_run_for_job"] = create_run_for_job
    try:
        yield
    finally:
        del instance.__dict__["create_run_for_job"]


FEW_KEYS = 20
"""Keys of one definition that a request asks for one by one; after that all are read at once."""


@contextmanager
def few_partition_queries() -> Iterator[None]:
    """Answer many questions for dynamic partitions with one query, while the block lasts.

    1.13.27 asks the storage for the key of each record of each check, at every look at a
    partition's page: over 2,000 shards this is four fifths of the server's work.
    """
    loader = CachingDynamicPartitionsLoader
    one_by_one = loader.has_dynamic_partition

    def has_dynamic_partition(self: Any, partitions_def_name: str, partition_key: str) -> bool:
        known = self._existence_by_partitions_def_name[partitions_def_name]
        if partition_key not in known and len(known) >= FEW_KEYS:
            known.update(dict.fromkeys(self.get_dynamic_partitions(partitions_def_name), True))
            known.setdefault(partition_key, False)
        return one_by_one(self, partitions_def_name, partition_key)

    loader.has_dynamic_partition = has_dynamic_partition
    try:
        yield
    finally:
        loader.has_dynamic_partition = one_by_one


@contextmanager
def webserver_app(instance: dg.DagsterInstance, workspace: str, poll_ms: int) -> Iterator[ASGIApp]:
    """Open the webserver's ASGI application; `dagster-webserver` takes no middleware of ours.

    Args:
        instance: what it shows.
        workspace: YAML file that names the code server.
        poll_ms: how often a page asks for news, in milliseconds.
    """
    # 1.13.27: what `dagster-webserver`'s own command does
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import (
        DEFAULT_DB_STATEMENT_TIMEOUT,
        DEFAULT_POOL_MAX_OVERFLOW,
        DEFAULT_POOL_RECYCLE,
    )

    instance.optimize_for_webserver(
        DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW
    )
    target = WorkspaceFileTarget([workspace])
    with (
        few_partition_queries(),
        WorkspaceProcessContext(instance, target, version=dg.__version__) as context,
    ):
        yield create_app_from_workspace_process_context(context, live_data_poll_rate=poll_ms)
