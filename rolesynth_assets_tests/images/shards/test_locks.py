"""Commands at the same time neither lose a shard nor take an image in twice."""

import logging
import threading
from pathlib import Path

import pytest
from filelock import Timeout

from rolesynth_assets.images.shards import locks
from rolesynth_assets.images.shards.locks import changing_shards, reading_images
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.small_graph import write_pictures


def elsewhere(work) -> list[BaseException | None]:
    """Run work as another process would: in a thread, which has locks of its own."""
    found: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            found.append(None)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return found


def test_a_change_excludes_others_and_may_hold_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "CHANGE_TIMEOUT_S", 0.05)

    def change() -> None:
        with changing_shards(tmp_path), changing_shards(tmp_path):
            pass

    with changing_shards(tmp_path):
        assert isinstance(elsewhere(change)[0], Timeout)
    assert elsewhere(change) == [None]


def test_an_image_in_two_folders_is_taken_in_once_however_they_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "rolesynth")
    root = tmp_path / "data"
    keys = [
        register_path(root, write_pictures(tmp_path / name, range(3)), name)[0].key
        for name in ("one", "two")
    ]
    store = Store(str(root))
    with reading_images(root, "a test"):
        threads = [threading.Thread(target=sync_shard, args=(store, root, key)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.5)
        assert store.count("images") == 0 and all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(60)
    rows = store.read("images", None, ["image_id"])["image_id"].to_pylist()
    assert len(rows) == len(set(rows)) == 3
    assert "shard one-0000: another process is reading images in" in caplog.text
