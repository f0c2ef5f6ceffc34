import pytest

from rolesynth_assets.files import object_store
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.mllm.engine import Learned
from rolesynth_assets.mllm.preflight.record import (
    Record,
    record_path,
    with_learned,
    write_record,
)
from rolesynth_assets.mllm.settings import EngineSettings

MODEL = EngineSettings(engine="openai", base_url="http://127.0.0.1:1/v1", model="m")


def test_hosts_share_what_was_learned_of_a_model(bucket_root: str) -> None:
    assert with_learned(bucket_root, MODEL) == MODEL
    learned = Learned(left_out=("seed",))
    write_record(record_path(bucket_root, MODEL), MODEL, Record(learned, "run", True, "run"))
    assert with_learned(bucket_root, MODEL).learned == learned


def test_a_bucket_that_does_not_answer_is_no_model_without_a_record(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "RETRY_S", 0.1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError):  # its rows would get another identity, and be paid again
        with_learned(bucket_root, MODEL)
