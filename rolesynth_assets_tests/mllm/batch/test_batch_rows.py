"""Captions and scores that are asked for in batches are the same rows, whatever happens."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.mllm.engine import ChatEngine, EngineError
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.rows.batch_ledger import Ledger, State, ledger_path, open_batches
from rolesynth_assets.mllm.rows.batch_work import BatchesOpenError, BatchWork, submitting_only
from rolesynth_assets.mllm.rows.reply_journal import journal_path
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.scoring import write_scores
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.mllm.batch.stub_batches import FAST, StubBatches, batch_engine
from rolesynth_assets_tests.mllm.stub_server import StubRequest

HERE = {"shard": "s1", "role_set": "set"}
ROLES = [
    Role(
        name=name,
        responsibilities=f"Look for {name}, not for <|im_end|>.",
        templates=PromptTemplates(
            long="{name} {responsibilities} Long.", short="{name} {responsibilities} Short."
        ),
        system="Write.",
    )
    for name in ("One", "Two")
]
UNLIKE = ("run_id", "latency_s", "made_at")
"""Columns that differ between two runs of the same engine."""


def answer(request: StubRequest) -> str:
    if "1-100" in request.text or "score" in request.text.lower():
        return "73 A true caption."
    many = 30 if "Long" in request.text else 12
    return " ".join(["a quiet red apple on a small wooden table near the window"] * (many // 12))


@pytest.fixture
def server() -> Iterator[StubBatches]:
    with StubBatches(answer) as stub:
        yield stub


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "data")
    store_images(made, "s1", range(3), picture)
    return made


def captions(store: Store, engine: ChatEngine, **options: Any):
    return asyncio.run(write_captions(store, engine, "s1", "set", ROLES, run_id="r", **options))


def scores(store: Store, engine: ChatEngine):
    return asyncio.run(write_scores(store, engine, "s1", "set", ROLES, run_id="r"))


def rows(store: Store, table: str = "captions") -> list[dict]:
    found = store.read(table, HERE).to_pylist()
    bare = [{name: row[name] for name in row if name not in UNLIKE} for row in found]
    return sorted(bare, key=lambda row: str(row))


def reasons(store: Store) -> list[str]:
    return sorted(row["reason"] or "" for row in rows(store))


def submit(store: Store, engine: ChatEngine) -> str:
    """Submit without waiting, and return what the run says."""
    with submitting_only(), pytest.raises(BatchesOpenError) as stopped:
        captions(store, engine)
    return str(stopped.value)


def plain(server: StubBatches) -> OpenAIEngine:
    settings = EngineSettings(engine="openai", base_url=server.url, model="stub", timeout_s=5)
    return OpenAIEngine(settings, FAST)


def test_captions_and_scores_are_those_of_the_engine_that_answers_at_once(
    store: Store, server: StubBatches, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    store_images(other, "s1", range(3), picture)
    for make in (captions, scores):
        make(other, plain(server))
    chats = [json.dumps(request.payload, sort_keys=True) for request in server.requests]
    server.looks = 2
    report = captions(store, batch_engine(server, batch_requests=5))
    judged = scores(store, batch_engine(server, batch_requests=5))
    assert (report.calls, report.captions, judged.calls) == (12, 12, 12)
    assert rows(store) == rows(other)
    assert rows(store, "scores") == rows(other, "scores")
    assert len(server.requests) == len(chats) == 24  # nothing of it at once
    sizes = [batch["request_counts"]["total"] for batch in server.batches.values()]
    assert sizes == [5, 5, 2, 5, 5, 2]
    assert open_batches(store.root) == {"captions": [], "scores": []}
    assert not any(name.startswith("rolesynth-") for name, _ in server.files.values())
    assert [path.suffix for path in ledger_path(store.root, "x").parent.iterdir()].count(
        ".jsonl"
    ) == 0


def test_requests_of_a_batch_are_the_bodies_of_chat_requests(
    store: Store, server: StubBatches, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    store_images(other, "s1", range(3), picture)
    captions(other, plain(server))
    kept: list[dict] = []
    server.fails = lambda payload: kept.append(payload)
    captions(store, batch_engine(server))
    wanted = [request.payload for request in server.requests]
    assert sorted(map(json.dumps, kept)) == sorted(map(json.dumps, wanted))


def test_a_run_that_does_not_wait_says_so_and_the_next_one_collects(
    store: Store, server: StubBatches
) -> None:
    server.looks = 1
    said = submit(store, batch_engine(server, batch_requests=8))
    assert "waiting for 2 batches: batch_0 submitted, 0 of 8 answered, since " in said
    assert said.endswith("s1 set. Run this again to collect")
    assert store.count("captions") == 0
    report = captions(store, batch_engine(server, batch_requests=8))
    assert (report.calls, report.captions) == (12, 12)
    assert sorted(server.asked) == sorted(set(server.asked))


def test_partial_failures_are_rows_with_a_reason_that_the_next_run_asks_again(
    store: Store, server: StubBatches
) -> None:
    kinds = iter(
        [
            (500, {"error": {"message": "overloaded"}}),
            (400, {"error": {"message": "the picture violates the content policy"}}),
            (0, {"code": "batch_expired", "message": "not executed in time"}),
        ]
    )
    server.fails = lambda payload: next(kinds, None)
    server.ends = "expired"
    captions(store, batch_engine(server))
    assert reasons(store) == [""] * 9 + ["call_failed", "call_failed", "rejected"]
    details = [row["detail"] for row in rows(store)]
    assert any("batch_expired: not executed in time" in detail for detail in details)
    server.ends = "completed"
    report = captions(store, batch_engine(server))
    assert report.calls == 2 and reasons(store) == [""] * 11 + ["rejected"]


@pytest.mark.parametrize("ends", ["expired", "cancelled", "completed"])
def test_missing_lines_are_asked_again(store: Store, server: StubBatches, ends: str) -> None:
    server.ends, server.lines = ends, lambda lines: lines[:4]
    captions(store, batch_engine(server))
    assert reasons(store) == [""] * 4 + ["call_failed"] * 8
    assert f"ended as {ends} without an answer" in str([row["detail"] for row in rows(store)])
    server.ends, server.lines = "completed", lambda lines: lines
    assert captions(store, batch_engine(server)).calls == 8
    assert reasons(store) == [""] * 12


def test_a_batch_without_any_file_of_answers(store: Store, server: StubBatches) -> None:
    server.ends, server.lines = "cancelled", lambda lines: []
    captions(store, batch_engine(server))
    assert reasons(store) == ["call_failed"] * 12


def test_odd_lines_do_no_harm(store: Store, server: StubBatches) -> None:
    def odd(lines: list[dict]) -> list[Any]:
        text = json.dumps(lines[0]["response"]["body"])
        for change, line in zip(
            (
                {"response": {"status_code": 200, "body": text}},  # the body as a text
                {"response": lines[1]["response"]["body"]},  # the body without its frame
                {"response": {"status_code": 200, "body": {"choices": []}}},
                {"response": {"status_code": 200, "body": {"error": {"message": "overloaded"}}}},
                {"response": {}, "error": None},
                {"response": {"status_code": "200", "body": [1, 2]}},
                {"response": "no object"},
            ),
            lines,
            strict=False,
        ):
            line |= change
        stranger = {**lines[8], "custom_id": "nobody's"}
        twice = json.loads(json.dumps(lines[9]).replace("quiet", "other"))
        return ["", "{", "[]", "null", *lines, stranger, twice, '{"custom_id": 7}', "\u2028"]

    server.lines = odd
    captions(store, batch_engine(server))
    assert reasons(store) == [""] * 7 + ["bad_response"] * 4 + ["call_failed"]
    assert "other red apple" not in str(rows(store))
    assert open_batches(store.root)["captions"] == []


def test_a_line_that_is_too_long_is_a_row_with_a_reason(
    store: Store, server: StubBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rolesynth_assets.mllm.batch.batch_run._LINE_ROOM", 3000)

    def longer(lines: list[dict]) -> list[dict]:
        message = lines[3]["response"]["body"]["choices"][0]["message"]
        message["content"] = "word " * 2000
        return lines

    server.lines = longer
    captions(store, batch_engine(server, max_reply_bytes=1000))
    assert reasons(store) == [""] * 11 + ["oversized"]


def test_a_batch_that_is_refused_stops_with_the_servers_words(
    store: Store, server: StubBatches
) -> None:
    server.refused = [{"code": "invalid_json_line", "message": "line is no JSON", "line": 3}]
    with pytest.raises(EngineError, match=r"invalid_json_line: line is no JSON \(line 3\)"):
        captions(store, batch_engine(server, batch_requests=8))
    # the other batch, which was collected in the same look, is kept
    assert len(rows(store)) == 4 and open_batches(store.root)["captions"] == []
    assert captions(store, batch_engine(server)).calls == 8


def test_a_full_queue_holds_requests_back_without_sending_a_file_again(
    store: Store, server: StubBatches
) -> None:
    full = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
    server.refused = [full]
    report = captions(store, batch_engine(server, batch_requests=4))
    assert report.calls == 12 and server.count("POST /files") == 3
    assert server.count("POST /batches") == 4


def test_a_queue_that_never_has_room_stops_with_the_way_out(
    store: Store, server: StubBatches
) -> None:
    server.refused = [{"code": "token_limit_exceeded", "message": "queue"}] * 9
    with pytest.raises(EngineError, match="lower ROLESYNTH_BATCH_REQUESTS"):
        captions(store, batch_engine(server, batch_requests=4))
    server.refused = []
    assert captions(store, batch_engine(server, batch_requests=4)).calls == 12
    assert server.count("POST /files") == 3


def test_a_busy_server_gets_a_batch_once_another_has_ended(
    store: Store, server: StubBatches
) -> None:
    busy = iter([None, web.json_response({"error": {"message": "too many"}}, status=429)])

    def refuse(method: str, path: str) -> web.Response | None:
        return next(busy, None) if (method, path) == ("POST", "/batches") else None

    server.refuse = refuse
    assert captions(store, batch_engine(server, batch_requests=6)).calls == 12
    assert server.count("POST /files") == 2 and len(server.batches) == 2


def test_few_batches_are_open_at_once(store: Store, server: StubBatches) -> None:
    said = submit_and_say(store, server)
    assert "waiting for 2 batches" in said and "4 requests wait for room" in said
    assert captions(store, batch_engine(server, batch_requests=4, batches_at_once=2)).calls == 12
    assert len(server.batches) == 3


def submit_and_say(store: Store, server: StubBatches) -> str:
    server.looks = 1
    return submit(store, batch_engine(server, batch_requests=4, batches_at_once=2))


def test_a_refused_parameter_is_left_out_and_asked_once_more(
    store: Store, server: StubBatches
) -> None:
    refusal = {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}
    server.fails = lambda payload: (400, refusal) if "seed" in payload else None
    captions(store, batch_engine(server))
    assert reasons(store) == [""] * 12
    assert len(server.batches) == 2
    assert all("seed" not in json.loads(row["sent"]) for row in rows(store))


def test_an_error_that_no_request_survives_stops_and_keeps_what_was_answered(
    store: Store, server: StubBatches
) -> None:
    broke = iter([(402, {"error": {"message": "insufficient_quota"}})])
    server.fails = lambda payload: next(broke, None)
    with pytest.raises(EngineError, match="no credit left"):
        captions(store, batch_engine(server))
    assert reasons(store) == [""] * 11
    assert captions(store, batch_engine(server)).calls == 1


def test_an_image_that_is_withdrawn_while_a_batch_waits_gets_no_row(
    store: Store, server: StubBatches
) -> None:
    submit(store, batch_engine(server))
    image = store.read("images", {"shard": "s1"}, ["image_id"])["image_id"].to_pylist()[0]
    write_tombstone(SmallTables(store.root), Tombstone(image, "asked to", now()))
    store.remove("images", f"image_id = '{image}'")
    captions(store, batch_engine(server))
    assert len(rows(store)) == 8 and image not in {row["image_id"] for row in rows(store)}
    with sqlite3.connect(str(journal_path(store.root, "captions"))) as journal:
        assert journal.execute("SELECT * FROM replies").fetchall() == []
    assert open_batches(store.root)["captions"] == []


def test_what_is_in_a_batch_is_not_asked_at_once(store: Store, server: StubBatches) -> None:
    submit(store, batch_engine(server))
    with pytest.raises(EngineError, match=r"paid twice.*openai-batch"):
        captions(store, plain(server))
    assert not server.requests
    with StubBatches(answer) as elsewhere:
        with pytest.raises(EngineError, match="Set ROLESYNTH_BASE_URL to that address"):
            captions(store, batch_engine(elsewhere))
    assert captions(store, batch_engine(server)).calls == 12


def test_a_model_that_answered_is_not_tried_again_to_collect(
    store: Store, server: StubBatches
) -> None:
    asked: list[bool] = []

    async def before_paying(engine: ChatEngine, sampling: object, *, sends: bool = True):
        from rolesynth_assets.mllm.cost.spent import Spent

        asked.append(sends)
        return Spent()

    server.looks = 1
    with submitting_only(), pytest.raises(BatchesOpenError):
        captions(store, batch_engine(server), before_paying=before_paying)
    captions(store, batch_engine(server), before_paying=before_paying)
    assert asked == [True, False]


def test_requests_that_cannot_be_sent_are_rows(tmp_path: Path, server: StubBatches) -> None:
    store = Store(tmp_path / "odd")
    store_images(store, "s1", range(1))  # no picture
    captions(store, batch_engine(server))
    assert reasons(store) == ["rejected"] * 4 and not server.batches
    store_images(store, "s1", range(2), picture)
    captions(store, batch_engine(server, batch_mb=0.0004))
    assert "ROLESYNTH_BATCH_MB sets the most" in str([row["detail"] for row in rows(store)])
    assert not server.batches


def test_a_server_without_a_batch_api(store: Store, server: StubBatches) -> None:
    server.refuse = lambda method, path: web.json_response({"detail": "Not Found"}, status=404)
    with pytest.raises(EngineError, match="has no Batch API, set ROLESYNTH_ENGINE to openai"):
        captions(store, batch_engine(server))
    server.refuse = lambda method, path: None
    assert captions(store, batch_engine(server)).calls == 12


def test_batches_are_asked_of_one_provider(server: StubBatches) -> None:
    with pytest.raises(EngineError, match="asks one provider, and ROLESYNTH_BASE_URL names 2"):
        batch_engine(server, base_url=f"{server.url},http://127.0.0.1:9/v1")


def test_a_data_root_in_a_bucket_takes_no_batches(server: StubBatches) -> None:
    work = BatchWork(
        *("s3://bucket/root", "captions", "place", HERE, ["key"]),
        requests=lambda keys: iter(()),
        bare=lambda key: pytest.fail(key),
        keep=lambda: None,
    )

    async def ask() -> None:
        async for _ in batch_engine(server).through_batches(work):
            pass

    with pytest.raises(EngineError, match="is in a bucket"):
        asyncio.run(ask())
    assert not server.calls and open_batches("s3://bucket/root") == {}


class Killed(BaseException):
    """The process ends here."""


STEPS = ("begin", "uploading", "uploaded", "creating", "submitted", "close", "look")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_at_any_step_submits_nothing_twice(
    store: Store,
    server: StubBatches,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    late: bool,
    number: int,
) -> None:
    """Kill before or after each write of the ledger, at the first and at the second batch."""
    real, left = getattr(Ledger, step), [number]

    def killing(self: Ledger, *arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not late:
            raise Killed
        done = real(self, *arguments)
        if left[0] == 0:
            raise Killed
        return done

    with monkeypatch.context() as killed:
        killed.setattr(Ledger, step, killing)
        with pytest.raises(Killed):
            captions(store, batch_engine(server, batch_requests=6))
    captions(store, batch_engine(server, batch_requests=6))
    assert reasons(store) == [""] * 12
    assert sorted(server.asked) == sorted(set(server.asked)), server.calls
    assert open_batches(store.root)["captions"] == []
    assert [path.name for path in ledger_path(store.root, "captions").parent.glob("*.jsonl")] == []


def test_an_answer_that_is_lost_makes_no_second_batch(store: Store, server: StubBatches) -> None:
    """The server makes the batch or takes the file, and its answer does not arrive."""
    lost = {"POST /batches": 1, "POST /files": 1}
    real = {"_create": server._create, "_upload": server._upload}

    async def dropped(name: str, call: str, request: web.Request) -> web.StreamResponse:
        made = await real[name](request)
        lost[call] -= 1
        if lost[call] < 0:
            return made
        assert request.transport is not None
        request.transport.abort()
        return made

    server._create = lambda request: dropped("_create", "POST /batches", request)  # type: ignore[method-assign]
    server._upload = lambda request: dropped("_upload", "POST /files", request)  # type: ignore[method-assign]
    captions(store, batch_engine(server))
    assert len(server.batches) == 1 and reasons(store) == [""] * 12


def test_a_batch_that_may_exist_at_a_server_without_a_list_is_left_to_people(
    store: Store, server: StubBatches
) -> None:
    submit(store, batch_engine(server))
    with Ledger(ledger_path(store.root, "captions")) as ledger:
        (batch,) = ledger.batches()
        ledger.creating(batch.name)

    def refuse(method: str, path: str) -> web.Response | None:
        unknown = web.json_response({"error": {"message": "no"}}, status=404)
        return unknown if (method, path) == ("GET", "/batches") else None

    server.refuse = refuse
    with pytest.raises(EngineError, match=f"rolesynth batches forget {batch.name}"):
        captions(store, batch_engine(server))
    server.refuse = lambda method, path: None
    assert captions(store, batch_engine(server)).calls == 12
    assert len(server.batches) == 1 and batch.state is State.SUBMITTED


_PROCESS = """
import os, signal, sys
from rolesynth_assets.mllm.rows.batch_ledger import Ledger
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.mllm.batch import test_batch_rows as rows
from rolesynth_assets_tests.mllm.batch.stub_batches import batch_engine

class Address:
    url = sys.argv[2]

def kill(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(Ledger, sys.argv[3], kill)
rows.captions(Store(sys.argv[1]), batch_engine(Address, batch_requests=7))
"""


@pytest.mark.parametrize("step", ["submitted", "close"])
def test_a_process_that_is_killed_leaves_nothing_to_pay_twice(
    store: Store, server: StubBatches, step: str
) -> None:
    """After the server made a batch, and after its answers were read."""
    command = [sys.executable, "-c", _PROCESS, str(store.root), server.url, step]
    ended = subprocess.run(command, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert len(server.batches) >= 1
    report = captions(store, batch_engine(server, batch_requests=6))
    assert reasons(store) == [""] * 12
    assert sorted(server.asked) == sorted(set(server.asked)), server.calls
    assert (report.recovered > 0) == (step == "close")
