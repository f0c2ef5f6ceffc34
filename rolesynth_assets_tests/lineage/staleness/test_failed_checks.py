import pytest
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as Status,
)

from rolesynth_assets.lineage.staleness.failed_checks import unmet


@pytest.mark.parametrize(
    ("status", "check_event", "materialization", "expected"),
    [
        (Status.SUCCEEDED, 9, 8, False),
        (Status.FAILED, 9, 8, True),
        (Status.PLANNED, 7, 8, True),  # killed after the content was stored, before the check
        (Status.PLANNED, 9, 8, False),  # failed before it stored anything: the old content stands
        (Status.PLANNED, 9, 0, False),
    ],
)
def test_what_a_check_says_about_the_stored_content(
    status: Status, check_event: int, materialization: int, expected: bool
) -> None:
    assert unmet(status, check_event, materialization) is expected
