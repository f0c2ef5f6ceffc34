"""Pages over a small stored world: two roles, pictures that can be drawn, a judge that hashes."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.settings import Settings
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld

ADDRESS = "http://127.0.0.1:3100"


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    made = StoredWorld(tmp_path)
    for shard, numbers in (("s0", range(6)), ("s1", range(6, 10))):
        made.images[shard] = store_images(made.store, shard, numbers, picture)
    made.caption()
    return made


@pytest.fixture
def indexed(world: StoredWorld) -> StoredWorld:
    TextIndex(world.root, ROLE_SET).build(world.store)
    return world


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Settings(data_root=tmp_path, project=tmp_path))


@pytest.fixture
def client(desk: Desk) -> TestClient:
    app = guarded_app(desk, [ADDRESS])
    return TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
