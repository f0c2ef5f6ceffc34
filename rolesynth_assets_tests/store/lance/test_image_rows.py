from __future__ import annotations

import random

import pyarrow as pa
import pytest

from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.image_rows import ImageRows
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store

IDS = [digest("image", number) for number in range(40)]


def rows(ids: list[str], shard: str) -> pa.Table:
    columns = {
        "image_id": ids,
        "shard": [shard] * len(ids),
        "source": ids,
        "media_type": ["image/png"] * len(ids),
        **{name: [1] * len(ids) for name in ("width", "height", "bytes")},
        "data": [f"bytes of {key}".encode() for key in ids],
        "ordinal": list(range(len(ids))),
    }
    return pa.table(columns, schema=IMAGES.schema)


@pytest.fixture
def images(store: Store) -> Store:
    for start in range(0, 40, 8):  # five files, each image of the first also in the second shard
        store.append("images", {"shard": "s0"}, rows(IDS[start : start + 8], "s0"))
    store.append("images", {"shard": "s1"}, rows(IDS[:8], "s1"))
    return store


def test_it_reads_what_a_look_up_reads(images: Store) -> None:
    every, dice = ImageRows(images), random.Random(3)
    of_shard = ImageRows(images, IDS, "s1")
    for _ in range(20):
        asked = dice.choices(IDS, k=dice.randint(0, 12))  # with repeats, in any order
        assert every.read(asked) == images.image_bytes(asked, "s0")
        mine = [key for key in asked if key in IDS[:8]]
        assert of_shard.read(mine) == images.image_bytes(mine, "s1")
        assert of_shard.read_known(asked) == images.image_bytes(mine, "s1")


def test_short_ids_are_found_too(store: Store) -> None:
    store.append("images", {"shard": "s0"}, rows(["a", "ab", "b"], "s0"))
    assert ImageRows(store).read(["ab"]) == {"ab": b"bytes of ab"}
    assert ImageRows(store, ["a", "absent"]).read_known(["a", "b", "absent"]) == {
        "a": b"bytes of a"
    }


def test_what_is_missing_is_named(images: Store, tmp_path) -> None:
    with pytest.raises(MissingRowError, match=rf"any shard: 1 of 2 .*{digest('none')}"):
        ImageRows(images).read([IDS[0], digest("none")])
    with pytest.raises(MissingRowError, match=r"shard 's1': 1 of 1 images are not there"):
        ImageRows(images, None, "s1").read([IDS[9]])
    nothing = ImageRows(Store(tmp_path / "empty"), IDS)
    assert (nothing.version, nothing.read_known(IDS)) == (0, {})
    assert ImageRows(images, []).read([]) == {}


def test_it_stays_at_its_version(images: Store) -> None:
    found = ImageRows(images, IDS)
    images.remove("images", f"image_id = '{IDS[3]}'")
    images.compact("images")
    assert found.read(IDS)[IDS[3]] == f"bytes of {IDS[3]}".encode()
    assert IDS[3] not in ImageRows(images, IDS).read_known(IDS)
    assert IDS[3] in ImageRows(images, IDS, version=found.version).read_known(IDS)


def test_it_goes_on_when_its_version_is_cleaned_up(images: Store) -> None:
    """The files that it reads are gone, as after an hour of clean-up or a purge."""
    found = ImageRows(images, IDS)
    images.remove("images", f"image_id = '{IDS[3]}'")
    images.drop_deleted("images")
    images.compact("images")
    images.forget_versions("images")
    left = [key for key in IDS if key != IDS[3]]
    assert found.read(left) == images.image_bytes(left, "s0")
    assert found.version == images.version("images")
    with pytest.raises(MissingRowError, match="are not there"):
        found.read([IDS[3]])
