from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from rolesynth_assets.defs.automation.table_upkeep import table_upkeep
from rolesynth_assets.defs.health import table_maintenance
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.store.lance.maintenance import state, versions
from rolesynth_assets_tests.lineage.little_graphs import World
from rolesynth_assets_tests.lineage.stored_world import StoredWorld


def test_the_asset_does_what_is_due_and_shows_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))
    monkeypatch.setattr(state, "SPARE_VERSIONS", 1)
    stored = StoredWorld(tmp_path)
    stored.add_shard("s0", range(3))
    platform = Platform(data_root=str(tmp_path))
    due = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 3, 2, 4, tzinfo=UTC),
        resources={"platform": platform},
    )
    assert isinstance(table_upkeep(due), dg.SkipReason)
    for model in ("one", "two", "three"):
        stored.caption(model=model, run_id=model)
    digest = stored.store.digest("captions")
    request = table_upkeep(due)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "table_upkeep/2026-03-02"
    with dg.DagsterInstance.ephemeral() as instance:
        done = World(instance).make(
            [table_maintenance], "table_maintenance", resources={"platform": platform}
        )
        (event,) = done.get_asset_materialization_events()
        checks = done.get_asset_check_evaluations()
    metadata = event.materialization.metadata
    shown: dict[str, Any] = {name: value.value for name, value in metadata.items()}
    assert shown["rolesynth/done"]["captions"] == ["remove versions"]
    assert shown["rolesynth/freed_bytes"] > 0
    assert shown["rolesynth/captions_versions"] == 1
    assert "| captions |" in str(shown["rolesynth/tables"])
    assert {check.check_name: check.passed for check in checks} == {
        "few_small_files": True,
        "look_ups_indexed": True,
        "few_useless_versions": True,
        "up_to_date": True,
    }
    assert stored.store.digest("captions") == digest
    assert isinstance(table_upkeep(due), dg.SkipReason)
