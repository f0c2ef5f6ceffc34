from pathlib import Path

import pytest

from rolesynth_assets_tests.lineage.stored_world import StoredWorld


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    world = StoredWorld(tmp_path)
    world.add_shard("s0", range(6))
    world.caption()
    return world
