import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rolesynth_assets.errors import InputError
from rolesynth_assets.files import object_store
from rolesynth_assets.files.atomic_files import create_text, write_text
from rolesynth_assets.files.object_path import STREAM_BYTES, ObjectPath, data_path
from rolesynth_assets.files.object_store import (
    StorageError,
    StorageRefusedError,
    object_store_options,
    open_object_store,
)


@pytest.mark.parametrize(
    ("given", "path"),
    [("data", Path("data")), ("file:///srv/data", Path("/srv/data")), ("./a b", Path("a b"))],
)
def test_a_folder_is_a_path(given: str, path: Path) -> None:
    assert data_path(given) == path


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a//b/", "s3://bucket/a/b"),
        ("gcs://bucket/a", "gs://bucket/a"),
        ("abfs://container/a", "az://container/a"),
    ],
)
def test_a_url_has_one_spelling(given: str, url: str) -> None:
    assert str(data_path(given)) == url
    assert str(data_path(given) / "x" / "y.json").startswith(f"{url}/x/y")


@pytest.mark.parametrize(
    "given",
    [
        "http://host/bucket",
        "s3://",
        "s3:///data",
        "s3://KEY:hunter2@bucket/data",
        "s3://bucket/data?secret=hunter2",
        "s3://bucket/data#hunter2",
        "s3://bucket/../hunter2",
    ],
)
def test_what_is_no_bucket_is_refused_without_repeating_a_secret(given: str) -> None:
    with pytest.raises(InputError) as refused:
        data_path(given)
    assert "hunter2" not in str(refused.value)


def test_an_object_is_read_as_it_was_written(bucket_root: str) -> None:
    path = ObjectPath.of(bucket_root) / "models" / "a.json"
    assert not path.is_file() and not path.parent.exists()
    with pytest.raises(FileNotFoundError, match=r"models/a\.json"):
        path.read_bytes()
    write_text(path, "ä")
    assert path.read_text() == "ä" and path.is_file() and path.parent.exists()
    assert (path.name, path.stem, path.suffix) == ("a.json", "a", ".json")
    assert [str(found) for found in path.parent.parent.glob("**/*.json")] == [str(path)]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        path.unlink()
    path.unlink(missing_ok=True)


def test_one_of_those_who_create_an_object_at_once_succeeds(bucket_root: str) -> None:
    path = ObjectPath.of(bucket_root) / "data-root-id"
    for text in ("first", "second"):
        create_text(path, text)
    assert path.read_text() == "first"
    assert not path.create_bytes(b"third")


def test_one_of_those_who_create_a_file_at_once_succeeds(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: create_text(tmp_path / "id", f"{i}"), range(8)))
    written = (tmp_path / "id").read_text()
    create_text(tmp_path / "id", "late")
    assert (tmp_path / "id").read_text() == written
    assert [path.name for path in tmp_path.iterdir()] == ["id"]


def test_a_large_object_is_streamed(bucket_root: str, tmp_path: Path) -> None:
    content = os.urandom(2 * STREAM_BYTES + 5)
    (tmp_path / "large").write_bytes(content)
    path = ObjectPath.of(bucket_root) / "large"
    path.upload(tmp_path / "large")
    parts = list(path.stream())
    assert [len(part) for part in parts] == [STREAM_BYTES, STREAM_BYTES, 5]
    assert b"".join(parts) == content
    with path.open() as file:
        file.seek(-4, os.SEEK_END)
        assert file.read() == content[-4:]


def test_a_glob_fits_part_by_part(bucket_root: str) -> None:
    root = ObjectPath.of(bucket_root)
    for name in ("a/seed-0/m.json", "a/seed-1/m.json", "a/b/seed-2/m.json", "c/seed-0/other"):
        write_text(root / name, "")
    found = [str(path.relative_to(root)) for path in root.glob("*/seed-*/m.json")]
    assert found == ["a/seed-0/m.json", "a/seed-1/m.json"]


def test_a_missing_bucket_is_named(bucket_root: str) -> None:
    path = ObjectPath.of("s3://no-such-bucket/data/x")
    for use in (path.read_bytes, lambda: path.write_bytes(b""), lambda: list(path.objects())):
        with pytest.raises(StorageError, match="There is no bucket 'no-such-bucket'"):
            use()


def test_a_service_that_is_not_there_is_named(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(object_store, "RETRY_S", 0.1)
    with pytest.raises(StorageError, match=r"No answer from bucket .*AWS_ENDPOINT_URL"):
        ObjectPath.of(bucket_root).is_file()


def test_missing_credentials_are_named(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageRefusedError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        open_object_store(bucket_root)


def test_a_profile_is_used(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = f"[team]\naws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
    profile += f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
    (tmp_path / "credentials").write_text(profile)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    write_text(ObjectPath.of(bucket_root) / "x", "y")


def test_plain_http_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.example:9000")
    with pytest.raises(InputError, match="AWS_ALLOW_HTTP=true"):
        object_store_options("s3://bucket")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    assert object_store_options("s3://bucket")["allow_http"] == "true"
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert object_store_options("s3://bucket")["allow_http"] == "true"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1.example:9000")
    with pytest.raises(InputError):
        object_store_options("s3://bucket")
