"""A small stored world that the settings name, for the commands on data."""

import os
from pathlib import Path

import pytest

from rolesynth_assets_tests.lineage.stored_world import StoredWorld


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredWorld:
    for name in [name for name in os.environ if name.startswith("ROLESYNTH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path))
    made = StoredWorld(tmp_path)
    made.add_shard("s0", range(4))
    made.caption()
    return made
