from datetime import timedelta

import pytest

from rolesynth_assets.files import object_store
from rolesynth_assets.files.bucket_check import bucket_faults
from rolesynth_assets.files.object_path import ObjectPath


@pytest.fixture
def root(bucket_root: str) -> ObjectPath:
    return ObjectPath.of(bucket_root)


def test_a_bucket_that_works_has_no_fault_and_keeps_nothing(root: ObjectPath) -> None:
    assert bucket_faults(root) == []
    assert not list(root.objects())


def test_a_service_without_conditional_puts_is_named(
    root: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwrite(self: ObjectPath, content: bytes) -> bool:
        self.write_bytes(content)
        return True

    monkeypatch.setattr(ObjectPath, "create_bytes", overwrite)
    (fault,) = bucket_faults(root)
    assert "no conditional puts" in fault
    assert not list(root.objects())


def test_a_clock_that_is_off_is_named(root: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    written = ObjectPath.written

    def late(self: ObjectPath):
        size, when, tag = written(self)
        return size, when + timedelta(minutes=20), tag

    monkeypatch.setattr(ObjectPath, "written", late)
    (fault,) = bucket_faults(root)
    assert "differ by 20 minutes" in fault


def test_a_bucket_that_is_missing_or_does_not_answer_is_named(
    root: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fault,) = bucket_faults(ObjectPath.of("s3://no-such-bucket/data"))
    assert "There is no bucket" in fault
    monkeypatch.setattr(object_store, "RETRY_S", 0.1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (fault,) = bucket_faults(root)
    assert "No answer from bucket" in fault
