"""Rows say what was sent and who answered, and their ids change only with what changes a reply."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.captions.report import CaptionReport
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.sent import same_model
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.scoring import write_scores
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer

HERE = {"shard": "s1", "role_set": "set"}
TEXT = "a small red apple lies on a wooden table near a bright window with a quiet garden"
ROLE = Role(
    name="Observer",
    responsibilities="Look.",
    templates=PromptTemplates(
        long="{name} {responsibilities} Long.", short="{name} {responsibilities} Short."
    ),
    system="Write.",
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> Store:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    store = Store(tmp_path / "data")
    store_images(store, "s1", range(3), picture)
    return store


def write(store: Store, server: StubServer, write=write_captions, **settings) -> CaptionReport:
    values = {"model": "stub", "base_url": server.url, "max_retries": 1, **settings}
    engine = OpenAIEngine(EngineSettings(engine="openai", **values), Backoff(0.001, 0.002))
    return asyncio.run(write(store, engine, "s1", "set", [ROLE], run_id="run"))


def rows(store: Store, table: str = "captions") -> list[dict]:
    return store.read(table, HERE).to_pylist()


def answered(by: str, text: str = TEXT) -> dict:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "model": by, "system_fingerprint": "fp_1"}


def test_extra_fields_are_what_the_rows_record(store):
    with StubServer(lambda request: answered("stub")) as server:
        extra = {"temperature": 0.25, "seed": None, "top_k": 20, "max_completion_tokens": 99}
        write(store, server, extra_body=extra)
        sent = [{k: v for k, v in p.items() if k != "messages"} for p in server.payloads]
    for row in rows(store):
        assert json.loads(row["sent"]) in sent
        assert (row["temperature"], row["seed"], row["max_tokens"]) == (0.25, None, 99)
        assert row["top_p"] == pytest.approx(0.9)
        assert (row["answered_by"], row["system_fingerprint"]) == ("stub", "fp_1")


def test_a_parameter_that_the_server_refuses_is_null_in_the_rows(store):
    def fault(request: StubRequest) -> Fault | None:
        if "temperature" in request.payload:
            return Fault("status", 400, '{"detail": "temperature is fixed for this model"}')
        return None

    with StubServer(lambda request: TEXT, fault) as server:
        report = write(store, server)
    assert {row["temperature"] for row in rows(store)} == {None}
    assert "temperature" not in json.loads(rows(store)[0]["sent"])
    assert report.model["server"] == {"left_out": ("temperature",)}


def test_a_fallback_model_under_the_asked_name_is_reported(store, caplog):
    caplog.set_level(logging.WARNING, "rolesynth")
    with StubServer(
        lambda request: answered("stub" if request.ordinal % 3 else "tiny-fallback")
    ) as server:
        report = write(store, server, concurrency=1)
        judge = lambda request: answered("tiny-fallback", "Score: 70")  # noqa: E731
        server.answer = judge
        scores = write(store, server, write_scores)
    assert report.model["other_model"] == 2
    assert report.model["answered_by"] == {"stub": 4, "tiny-fallback": 2}
    assert "captions s1 set: asked for model stub, answered by tiny-fallback (2 r" in caplog.text
    assert sorted(row["answered_by"] for row in rows(store)) == ["stub"] * 4 + ["tiny-fallback"] * 2
    assert scores.model["other_model"] == 6
    assert {row["answered_by"] for row in rows(store, "scores")} == {"tiny-fallback"}


def test_a_dated_version_of_the_asked_model_is_no_other_model(store):
    with StubServer(lambda request: answered("stub-2026-01-31")) as server:
        report = write(store, server)
    assert report.model["other_model"] == 0
    assert report.model["answered_by"] == {"stub-2026-01-31": 6}


def test_ids_change_with_what_changes_the_reply_alone(store):
    """The first id is that of a caption which was paid before rows said what was sent."""

    def ids(**settings) -> set[str]:
        with StubServer(lambda request: answered("stub")) as server:
            write(store, server, **settings)
            return {row["caption_id"] for row in rows(store)}

    plain = ids()
    assert min(plain) == "0f488c70fe18bac33459bac5961bda89de354ed51ebbc7d09479af81b51ca01d"
    assert plain == ids(concurrency=3, timeout_s=9)
    assert plain.isdisjoint(ids(extra_body={"temperature": 0.25}))


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o", "openai/gpt-4o", True),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b-instruct", True),
        ("claude-latest", "claude-20241022", True),
        ("gemini-2.0-flash", "models/gemini-2.0-flash-001", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("/models/qwen/", "/models/qwen", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4", "gpt-4.1", False),
        ("qwen-7", "qwen-72", False),
        ("big", "tiny", False),
    ],
)
def test_same_model(asked, answered, same):
    assert same_model(asked, answered) is same
