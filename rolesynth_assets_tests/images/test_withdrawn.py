from __future__ import annotations

from pathlib import Path

import pytest

from rolesynth_assets.images import ingest
from rolesynth_assets.images.checks import no_withdrawn_image, rejects_bounded
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, lift_tombstones, write_tombstone

SHARD = {"shard": "photos-0000"}


@pytest.fixture
def folder(tmp_path: Path, noise, encode) -> Path:
    """Three images; a registered shard."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(encode(noise(seed)))
    register_path(tmp_path, folder, "photos")
    return folder


def withdraw(folder: Path, name: str) -> str:
    image = image_id((folder / name).read_bytes())
    stone = Tombstone(image, "the licence ended", "2026-01-02T03:04:05+00:00")
    write_tombstone(SmallTables(folder.parent), stone)
    return image


def test_withdrawn_bytes_are_refused_undecoded_and_say_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, store = withdraw(folder, "1.png"), Store(folder.parent)
    decoded: list[str] = []
    decode = ingest.normalise

    def noted(data: bytes, limits: object) -> object:
        decoded.append(image_id(data))
        return decode(data, limits)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "normalise", noted)
    report = sync_shard(store, folder.parent, "photos-0000")
    assert (report.images, report.rejects) == (2, {"withdrawn": 1})
    assert gone not in decoded and len(decoded) == 2
    assert gone not in store.keys("images", SHARD)
    (reject,) = store.read("image_rejects", SHARD).to_pylist()
    assert Path(reject["source"]).name == "1.png"
    assert reject["detail"] == "withdrawn on 2026-01-02: the licence ended"


def test_the_same_bytes_under_another_name_are_refused_too(folder: Path) -> None:
    withdraw(folder, "1.png")
    (folder / "copy.jpg").write_bytes((folder / "1.png").read_bytes())
    (shard,) = register_path(folder.parent, folder, "photos")
    assert sync_shard(Store(folder.parent), folder.parent, shard.key).rejects == {"withdrawn": 1}


def test_a_lifted_tombstone_lets_the_image_back_in(folder: Path) -> None:
    gone, store = withdraw(folder, "1.png"), Store(folder.parent)
    sync_shard(store, folder.parent, "photos-0000")
    lifted = lift_tombstones(SmallTables(folder.parent), [gone, "absent"])
    assert [stone.image_id for stone in lifted] == [gone]
    assert sync_shard(store, folder.parent, "photos-0000").rejects == {}
    assert gone in store.keys("images", SHARD)


def test_withdrawn_images_are_no_fault_of_a_shard() -> None:
    assert rejects_bounded("s", 1, {"withdrawn": 9}, max_share=0.2).passed
    outcome = rejects_bounded("s", 8, {"withdrawn": 9, "corrupt": 2}, max_share=0.2)
    assert outcome.passed and outcome.value == pytest.approx(2 / 19)
    assert not rejects_bounded("s", 7, {"withdrawn": 9, "corrupt": 5}, max_share=0.2).passed


def test_a_training_set_with_a_withdrawn_image_fails() -> None:
    failed = no_withdrawn_image("mine", ["a", "b", "b", "c"], {"b": 1, "z": 1})
    assert not failed.passed
    assert (failed.value, failed.threshold) == (1, 0)
    assert "1 of 3 images were withdrawn" in failed.description
    assert no_withdrawn_image("mine", ["a"], {"b"}).passed
