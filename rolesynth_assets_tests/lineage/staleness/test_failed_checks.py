import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as Status,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo

from rolesynth_assets.lineage.staleness.failed_checks import unmet


@pytest.mark.parametrize(
    ("status", "check_event", "materialization", "expected"),
    [
        (Status.SUCCEEDED, 9, 8, False),
        (Status.FAILED, 9, 8, True),
        (Status.PLANNED, 7, 8, True),  # killed after the content was stored, before the check
        (Status.PLANNED, 9, 8, False),  # failed before it stored anything: the old content stands
        (Status.PLANNED, 9, None, False),
    ],
)
def test_what_a_check_says_about_the_stored_content(
    status: Status, check_event: int, materialization: int | None, expected: bool
) -> None:
    info = AssetCheckPartitionInfo(
        check_key=dg.AssetCheckKey(dg.AssetKey("raw_captions"), "keys_unique"),
        partition_key="s0|roles5",
        latest_execution_status=status,
        latest_planned_run_id="run",
        latest_check_event_storage_id=check_event,
        latest_materialization_storage_id=materialization,
        latest_target_materialization_storage_id=None,
    )
    assert unmet(info) is expected
