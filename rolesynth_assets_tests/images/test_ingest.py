from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from PIL import Image

from rolesynth_assets.images import ingest, ingest_rows
from rolesynth_assets.images.decoding.decode import DecodeLimits
from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.ingest import ingest_batches
from rolesynth_assets.images.shards.planning import plan_shards
from rolesynth_assets.store.lance.schemas import IMAGE_REJECTS, IMAGES
from rolesynth_assets_tests.images.whole_shard import ingest_shard


@pytest.fixture
def folder(tmp_path, noise, encode):
    """Six images, one of them twice and one turned; an empty, a cut and a mislabelled file."""
    path = tmp_path / "in"
    path.mkdir()
    for seed in range(5):
        (path / f"{seed}.png").write_bytes(encode(noise(seed)))
    (path / "2-again.jpg").write_bytes(encode(noise(2)))  # PNG bytes: the name does not matter
    exif = Image.Exif()
    exif[0x0112] = 6
    (path / "5.jpg").write_bytes(encode(noise(5), "JPEG", exif=exif))
    (path / "empty.png").write_bytes(b"")
    (path / "cut.png").write_bytes(encode(noise(6))[:-100])
    (path / "fake.png").write_text("<html>")
    return path


def test_rows_reasons_and_report(folder):
    [shard] = plan_shards(folder, "x", [])
    done = ingest_shard(shard, ordinal_start=100)
    assert done.images.schema == IMAGES.schema
    assert done.rejects.schema == IMAGE_REJECTS.schema
    images = done.images.to_pylist()
    # sorted file names: "2-again.jpg" comes before "2.png", and is the one that is kept
    names = ["0.png", "1.png", "2-again.jpg", "3.png", "4.png", "5.jpg"]
    assert [row["source"] for row in images] == [f"{folder}/{name}" for name in names]
    assert [row["ordinal"] for row in images] == list(range(100, 106))
    assert {row["shard"] for row in images} == {"x-0000"}
    for row, name in zip(images, names, strict=True):
        assert row["image_id"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert row["bytes"] == len(row["data"])
        with Image.open(io.BytesIO(row["data"])) as image:
            assert (image.mode, image.size) == ("RGB", (row["width"], row["height"]))
    assert [
        row["data"] == (folder / n).read_bytes() for row, n in zip(images, names, strict=True)
    ] == [
        *[True] * 5,
        False,
    ]
    assert (images[5]["width"], images[5]["height"]) == (36, 48)

    rejects = {row["source"].rsplit("/", 1)[1]: row for row in done.rejects.to_pylist()}
    assert {name: row["reason"] for name, row in rejects.items()} == {
        "2.png": "duplicate",
        "cut.png": "truncated",
        "empty.png": "empty",
        "fake.png": "not_an_image",
    }
    assert rejects["2.png"]["detail"].endswith("2-again.jpg")
    assert rejects["empty.png"]["detail"] == "zero bytes"
    report = done.report
    assert (report.images, report.members) == (6, 10)
    assert report.bytes == sum(row["bytes"] for row in images)
    assert report.rejects == {"duplicate": 1, "truncated": 1, "empty": 1, "not_an_image": 1}


def test_the_same_shard_gives_the_same_rows_whatever_the_batches(folder, monkeypatch):
    [shard] = plan_shards(folder, "x", [])
    whole = ingest_shard(shard)
    monkeypatch.setattr(ingest_rows, "BATCH_ROWS", 2)
    monkeypatch.setattr(ingest, "THREADS", 4)
    batches = list(ingest_batches(shard))
    assert [len(b.images) + len(b.rejects) for b in batches] == [2] * 5
    again = ingest_shard(shard)
    assert again.images.equals(whole.images)
    assert again.rejects.equals(whole.rejects)
    assert again.report == whole.report


def test_batches_are_bounded_by_bytes(folder, monkeypatch):
    [shard] = plan_shards(folder, "x", [])
    largest = max(row["bytes"] for row in ingest_shard(shard).images.to_pylist())
    monkeypatch.setattr(ingest_rows, "BATCH_BYTES", 6000)
    sizes = [sum(batch.images["bytes"].to_pylist()) for batch in ingest_batches(shard)]
    assert len(sizes) > 2
    assert max(sizes) < 6000 + largest


def test_few_members_are_read_ahead(folder, monkeypatch):
    read = []
    original = ingest.iter_members

    def counted(*args):
        for member in original(*args):
            read.append(member.source)
            yield member

    monkeypatch.setattr(ingest, "iter_members", counted)
    monkeypatch.setattr(ingest, "BATCH_BYTES", 1)
    monkeypatch.setattr(ingest_rows, "BATCH_ROWS", 1)
    [shard] = plan_shards(folder, "x", [])
    batches = ingest_batches(shard)
    next(batches)
    assert len(read) == 1
    batches.close()  # type: ignore[attr-defined]
    assert len(read) == 1


def test_progress_counts_members(folder):
    [shard] = plan_shards(folder, "x", [])
    calls = []
    ingest_shard(shard, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 10) for n in range(1, 11)]


def test_a_tar_with_one_name_twice_has_distinct_reject_ids(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("same.png"), io.BytesIO(b""))
    [shard] = plan_shards(path, "x", [])
    done = ingest_shard(shard)
    assert done.rejects["reason"].to_pylist() == ["empty", "empty"]
    assert len(set(done.rejects["reject_id"].to_pylist())) == 2
    assert done.images.num_rows == 0


def test_limits_reach_the_decoder_and_the_reader(folder):
    [shard] = plan_shards(folder, "x", [])
    small = ingest_shard(shard, DecodeLimits(min_side=40)).report
    assert small.rejects[RejectReason.SIDE_TOO_SHORT] == 6 + 1 + 1  # the copy and the cut file too
    tiny = ingest_shard(shard, DecodeLimits(max_bytes=10)).report
    assert tiny.rejects[RejectReason.TOO_MANY_BYTES] == 8
