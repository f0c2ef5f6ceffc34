from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers import zips
from rolesynth_assets.images.readers.zips import iter_zip


def read(path: Path, max_bytes: int = 2**20, **limits) -> dict[str, object]:
    members = iter_zip(str(path), max_bytes, ContainerLimits(**limits))
    return {
        member.source.removeprefix(str(path)): str(member.data.reason)
        if isinstance(member.data, Reject)
        else member.data
        for member in members
    }


@pytest.fixture
def archive(tmp_path):
    def write(
        *entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED
    ) -> Path:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", compression) as file:
            for name, data in entries:
                file.writestr(name, data)
        return path

    return write


def test_images_are_read_and_sidecars_are_not(archive, noise, encode):
    data = encode(noise(1))
    path = archive(
        ("a.png", data), ("sub/\u00fc", data), ("notes.txt", b"no"), ("__MACOSX/._a.png", b"x"),
        ("broken.jpg", b"<html>"), ("dir/", b""),
    )  # fmt: skip
    assert read(path) == {"::a.png": data, "::sub/\u00fc": data, "::broken.jpg": b"<html>"}


def test_what_is_refused_has_a_reason(archive, tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    path = archive(
        ("../up.png", b"x"), ("/abs.png", b"x"), ("inner.tar", b"x"), ("big.png", bytes(200)),
    )  # fmt: skip
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "a.png")
        file.writestr("b.png", b"x", compress_type=zipfile.ZIP_BZIP2)
    assert read(path, max_bytes=100) == {
        "::../up.png": "unsafe_path",
        "::/abs.png": "unsafe_path",
        "::inner.tar": "unsupported_format",
        "::big.png": "too_many_bytes",
        "::link.png": "unsafe_path",
        "::b.png": "unreadable",
    }


def test_damage_costs_one_member(archive, noise, encode):
    data = encode(noise(1))
    path = archive(("a.png", data), ("b.png", data), ("c.png", data))
    raw = bytearray(path.read_bytes())
    second = raw.index(b"b.png") + 5
    raw[second : second + 400] = bytes(400)
    path.write_bytes(raw)
    got = read(path)
    assert (got["::a.png"], got["::b.png"], got["::c.png"]) == (data, "broken_archive", data)
    path.write_bytes(raw[: len(raw) // 2])
    assert read(path) == {"": "broken_archive"}
    path.write_bytes(b"")
    assert read(path) == {"": "broken_archive"}


def test_bombs_end_with_a_reason(archive, monkeypatch):
    path = archive(*((f"{n}.png", bytes(30 * 2**20)) for n in range(6)))
    got = read(path, max_bytes=64 * 2**20)
    assert got[""] == "archive_bomb" and len(got) < 5
    lying = bytearray(path.read_bytes())
    at = lying.index(b"PK\1\2")
    lying[at + 24 : at + 28] = (10).to_bytes(4, "little")  # unpacked size in the directory
    path.write_bytes(lying)
    assert read(path, max_bytes=2**20)["::0.png"] in (bytes(10), "broken_archive")
    monkeypatch.setattr(zips, "MAX_DIRECTORY_BYTES", 100)
    assert read(path) == {"": "broken_archive"}


def test_more_members_than_the_limit(archive):
    path = archive(*((f"{n}.png", b"x") for n in range(5)))
    assert list(read(path, max_members=3).values()) == [b"x"] * 3 + ["too_many_members"]


def test_a_zip_is_a_shard(archive, noise, encode, tmp_path):
    from rolesynth_assets.images.shards.planning import plan_shards

    path = archive(("a.png", encode(noise(1))))
    [shard] = plan_shards(tmp_path, "z", [])
    assert (shard.kind, shard.uri) == ("zip", str(path))
    assert plan_shards(tmp_path, "z", [shard]) == []
    assert io.BytesIO(path.read_bytes()).read(2) == b"PK"


def test_a_member_without_a_name_is_a_reject(archive):
    path = archive(("a.png", b"x"), (zipfile.ZipInfo(""), b"y"))
    assert read(path) == {"::a.png": b"x", "::": "broken_archive"}
