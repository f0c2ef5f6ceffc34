"""Images in a bucket: the same rows as from files, and errors that tell gone from not readable."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rolesynth_assets.images.decoding.decode import DecodeLimits
from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.places import buckets
from rolesynth_assets.images.places.buckets import (
    AccessRefusedError,
    Bucket,
    BucketError,
    open_source,
)
from rolesynth_assets.images.places.place import place_name
from rolesynth_assets.images.shards.planning import PlanRules, plan_shards
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.images.whole_shard import ingest_shard
from rolesynth_assets_tests.loopback_s3 import KEY, SECRET, LoopbackS3, loopback_s3

BUCKET = "pictures"


@pytest.fixture(scope="module")
def service() -> Iterator[LoopbackS3]:
    with loopback_s3() as running:
        yield running


@pytest.fixture
def s3(service: LoopbackS3, monkeypatch: pytest.MonkeyPatch) -> LoopbackS3:
    service.set_environment(monkeypatch)
    return service


@pytest.fixture
def objects(noise, encode) -> dict[str, bytes]:
    """Keys and bodies as people have them: nested, spaced, mislabelled, unfinished, hidden."""
    names = ("b.png", "a.png", "sub/deep/c.png", "sub/größe 図 1%20?#+&.png", "0f3a", "d.data")
    made = {f"photos/{name}": encode(noise(seed)) for seed, name in enumerate(names)}
    return made | {
        "photos/": b"",
        "photos/broken.jpg": b"<html>",
        "photos/cut.png": encode(noise(30))[:100],
        "photos/_SUCCESS": b"done",
        "photos/notes.txt": b"no image",
        "photos/.hidden/x.png": encode(noise(31)),
        "photos/e.png.part": encode(noise(32)),
        "photos/set.lance/_versions/1.manifest": b"x",
        "photographs/other.png": encode(noise(33)),
    }


MEMBERS = (
    *("0f3a", "a.png", "b.png", "broken.jpg", "cut.png"),
    *("sub/deep/c.png", "sub/größe 図 1%20?#+&.png"),
)


def tar_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def parquet_of(cells: list[bytes | None]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"jpg": pa.array(cells, pa.binary())}), out, row_group_size=2)
    return out.getvalue()


def rows(shard: ShardDescriptor) -> list[tuple[str, ...]]:
    """What a shard's members became, without the place they came from."""
    made = ingest_shard(shard)
    tables = [("image", made.images, "image_id"), ("reject", made.rejects, "detail")]
    return sorted(
        (kind, row["source"].removeprefix(shard.uri), row[column].replace(shard.uri, ""))
        for kind, table, column in tables
        for row in table.to_pylist()
    )


def test_a_prefix_is_planned_like_a_folder(s3: LoopbackS3, objects) -> None:
    url = s3.fill(BUCKET, objects) + "/photos"
    plan = plan_shards(url, "web", [], PlanRules(shard_size=4))
    assert [(shard.key, shard.uri) for shard in plan] == [("web-0000", url), ("web-0001", url)]
    assert plan[0].members + plan[1].members == MEMBERS
    assert plan_shards(f"{url}/", "web", plan) == []
    s3.put(BUCKET, "photos/late.png", objects["photos/a.png"])
    [added] = plan_shards(url, "web", plan)
    assert (added.key, added.members) == ("web-0002", ("late.png",))
    assert plan_shards(url, "web", [], PlanRules(min_age_s=3600)) == []  # all were written just now


def test_objects_become_the_same_rows_as_files(s3: LoopbackS3, objects, tmp_path: Path) -> None:
    url = s3.fill(BUCKET, objects) + "/photos"
    for name in MEMBERS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(objects[f"photos/{name}"])
    [remote], [local] = plan_shards(url, "x", []), plan_shards(tmp_path, "x", [])
    assert rows(remote) == rows(local)
    assert ingest_shard(remote).report.rejects == {"not_an_image": 1, "truncated": 1}
    assert f"{url}/a.png" in ingest_shard(remote).images["source"].to_pylist()


def test_tars_and_tables_become_the_same_rows_as_files(
    s3: LoopbackS3, noise, encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "CHUNK_BYTES", 1000)  # so that each is read in many pieces
    pictures = [encode(noise(seed)) for seed in range(5)]
    whole = tar_of({f"{i}.png": p for i, p in enumerate(pictures)} | {"../up.png": pictures[0]})
    table = parquet_of([*pictures, None])
    damaged = bytearray(table)
    damaged[300:2000] = bytes(1700)
    files = {
        "cut.tar": whole[:9000],
        "meta.parquet": _without_images(),
        "rows.parquet": table,
        "torn.parquet": bytes(damaged),
        "whole.tar": whole,
    }
    url = s3.fill(BUCKET, {f"web/{name}": body for name, body in files.items()}) + "/web"
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    remote = plan_shards(url, "x", [], PlanRules(shard_size=4))
    local = plan_shards(tmp_path, "x", [], PlanRules(shard_size=4))
    assert [(s.key, Path(s.uri).name, s.first_row, s.rows) for s in remote] == [
        (s.key, Path(s.uri).name, s.first_row, s.rows) for s in local
    ]
    assert [rows(shard) for shard in remote] == [rows(shard) for shard in local]
    read = {shard.uri.rpartition("/")[2]: ingest_shard(shard).report for shard in remote[:2]}
    assert read["whole.tar"].rejects == {"unsafe_path": 1}
    assert read["cut.tar"].rejects["broken_archive"] == 1
    assert plan_shards(url, "x", remote, PlanRules(shard_size=4)) == []


def _without_images() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"url": ["u"]}), out)
    return out.getvalue()


def test_one_object_can_be_named(s3: LoopbackS3, objects, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.fill(BUCKET, objects | {"meta.parquet": _without_images()})
    [shard] = plan_shards(f"s3://{BUCKET}/photos/a.png", "one", [])
    assert (shard.uri, shard.members) == (f"s3://{BUCKET}/photos", ("a.png",))
    with pytest.raises(ValueError, match=r"meta\.parquet has not a column of image bytes"):
        plan_shards(f"s3://{BUCKET}/meta.parquet", "one", [])

    def refused(self: Bucket) -> None:
        raise AccessRefusedError("may not list")

    monkeypatch.setattr(Bucket, "listing", refused)  # who may read it need not be allowed to list
    assert plan_shards(f"s3://{BUCKET}/photos/a.png", "one", [])[0].members == ("a.png",)


def test_places_without_images_say_so(s3: LoopbackS3, objects) -> None:
    url = s3.fill(BUCKET, {"notes/a.txt": b"x", "set.lance/_versions/1.manifest": b"x"})
    with pytest.raises(ValueError, match=r"s3://pictures/notes holds no image.*local folder alone"):
        plan_shards(f"{url}/notes", "x", [])
    with pytest.raises(
        FileNotFoundError, match=r"There is no s3://pictures/nowhere; give a prefix"
    ):
        plan_shards(f"{url}/nowhere", "x", [])
    s3.fill(BUCKET, {})
    with pytest.raises((ValueError, FileNotFoundError), match="s3://pictures"):
        plan_shards(url, "x", [])


def test_an_object_that_is_gone_or_too_large_is_a_row(s3: LoopbackS3, objects) -> None:
    url = s3.fill(BUCKET, objects) + "/photos"
    [shard] = plan_shards(url, "web", [])
    s3.delete(BUCKET, "photos/b.png")
    s3.put(BUCKET, "photos/0f3a", bytes(10_001))
    made = ingest_shard(shard, DecodeLimits(max_bytes=10_000))
    reasons = {row["source"]: (row["reason"], row["detail"]) for row in made.rejects.to_pylist()}
    assert reasons[f"{url}/b.png"] == ("source_missing", "no such object")
    assert reasons[f"{url}/0f3a"] == ("too_many_bytes", "more than the limit of 10000 bytes")
    assert made.report.members == len(MEMBERS)


def test_names_that_lead_out_or_cannot_be_asked_for_are_rows(s3: LoopbackS3, objects) -> None:
    s3.fill(BUCKET, {"photos//twice.png": b"x", "photos/a.png": objects["photos/a.png"]})
    [shard] = plan_shards(f"s3://{BUCKET}/photos", "web", [])
    assert set(shard.members) == {"/twice.png", "a.png"}
    assert ingest_shard(shard).report.rejects == {"unsafe_path": 1}
    [shard] = plan_shards(f"s3://{BUCKET}", "web", [])
    assert ingest_shard(shard).report.rejects == {"source_missing": 1}


def test_a_bucket_that_is_not_there_is_named(s3: LoopbackS3) -> None:
    for url in ("s3://no-such-bucket", "s3://no-such-bucket/photos"):
        with pytest.raises(BucketError, match=r"no bucket 'no-such-bucket'.*AWS_ENDPOINT_URL"):
            plan_shards(url, "x", [])


def test_refused_access_says_what_to_set_and_tells_no_key(
    s3: LoopbackS3, objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = s3.fill(BUCKET, objects) + "/photos"
    [shard] = plan_shards(url, "x", [])
    # from the first request on, the server looks at who asks
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
    for read in (lambda: plan_shards(url, "x", []), lambda: ingest_shard(shard)):
        with pytest.raises(
            AccessRefusedError, match=r"refused to bucket 'pictures'.*AWS_PROFILE"
        ) as told:
            read()
        assert SECRET not in str(told.value) and KEY not in str(told.value)


def test_no_answer_is_no_empty_bucket(s3: LoopbackS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BucketError, match=r"No answer from bucket 'pictures'.*AWS_REGION"):
        plan_shards(f"s3://{BUCKET}/photos", "x", [])


def test_rows_stay_while_the_bucket_cannot_be_read(
    s3: LoopbackS3, noise, encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = s3.fill(BUCKET, {"a.png": encode(noise(1))})
    store = Store(tmp_path)
    register_path(tmp_path, url, "web")
    sync_shard(store, tmp_path, "web-0000")
    before = store.digest("images", {"shard": "web-0000"})
    with monkeypatch.context() as patch, pytest.raises(BucketError):
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        sync_shard(store, tmp_path, "web-0000")
    assert store.digest("images", {"shard": "web-0000"}) == before
    s3.fill(BUCKET, {})
    s3.client.delete_bucket(Bucket=BUCKET)
    with pytest.raises(BucketError, match="There is no bucket 'pictures'"):
        sync_shard(store, tmp_path, "web-0000")
    assert store.digest("images", {"shard": "web-0000"}) == before


def test_an_ingest_that_was_cut_off_is_completed(
    s3: LoopbackS3, noise, encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {f"photos/{seed:02}.png": encode(noise(seed)) for seed in range(40)}
    register_path(tmp_path, s3.fill(BUCKET, pictures), "web")
    store = Store(tmp_path)
    monkeypatch.setattr("rolesynth_assets.images.ingest_rows.BATCH_ROWS", 5)
    read = Bucket.read

    def cut_off(self: Bucket, url: str, max_bytes: int) -> object:
        if "35" in url:
            raise KeyboardInterrupt
        return read(self, url, max_bytes)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Bucket, "read", cut_off)
        sync_shard(store, tmp_path, "web-0000")
    assert 0 < store.count("images") < 40
    assert sync_shard(store, tmp_path, "web-0000").images == store.count("images") == 40


def test_an_object_replaced_while_it_is_read_stops_the_reading(s3: LoopbackS3) -> None:
    url = s3.fill(BUCKET, {"a.tar": b"first"}) + "/a.tar"
    with pytest.raises(BucketError, match=r"a\.tar was replaced while it was read"):
        with open_source(url) as file:
            assert file.read(2) == b"fi"
            s3.put(BUCKET, "a.tar", b"other")
    with open_source(url) as file:
        assert file.read() == b"other"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("s3://my.bucket/trip 2024/größe (1)", "gr-e-1"),
        ("s3://pictures/web/00000.tar", "00000"),
        ("gs://pictures/", "pictures"),
        ("s3://pictures/図/", "images"),
        ("/srv/photos", "photos"),
        ("/srv/my photos", "my-photos"),
    ],
)
def test_shards_are_named_after_their_place(place: str, name: str) -> None:
    assert place_name(place) == name


@pytest.mark.parametrize("url", [f"s3://{KEY}:{SECRET}@bucket/x", "s3:///x", "s3://"])
def test_a_url_holds_no_keys(url: str) -> None:
    with pytest.raises(ValueError, match="A URL is s3://bucket/prefix, without keys") as told:
        plan_shards(url, "x", [])
    assert SECRET not in str(told.value)


def test_other_schemes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"https:// cannot be read; give a path, s3:// or gs://"):
        plan_shards("https://example.org/a.png", "x", [])


def test_the_environment_chooses_region_endpoint_and_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    made: list[dict] = []
    monkeypatch.setattr(buckets.fs, "S3FileSystem", lambda **options: made.append(options))
    monkeypatch.setattr(buckets.fs, "resolve_s3_region", lambda bucket: f"region of {bucket}")
    Bucket("s3://pictures/x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3:1")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    Bucket("s3://pictures/x")
    keys = ("region", "endpoint_override", "anonymous")
    assert [tuple(options[key] for key in keys) for options in made] == [
        ("region of pictures", None, False),
        ("eu-north-1", "http://s3:1", True),
    ]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")

    def unknown(bucket: str) -> str:
        raise OSError(f"Bucket '{bucket}' not found")

    monkeypatch.setattr(buckets.fs, "resolve_s3_region", unknown)
    with pytest.raises(BucketError, match="There is no bucket 'pictures'"):
        Bucket("s3://pictures/x")
