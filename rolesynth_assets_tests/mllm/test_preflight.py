"""Before anything is paid, a model shows that it looks, and that it is the one that it was."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.captions.report import CaptionReport
from rolesynth_assets.mllm.engine import ChatReply, EngineError, FailureReason, Learned, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.preflight import check
from rolesynth_assets.mllm.preflight.cards import unseen
from rolesynth_assets.mllm.preflight.check import Preflight
from rolesynth_assets.mllm.preflight.record import read_record, record_path, with_learned
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.scoring import write_scores
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.mllm.seeing import describe_card, pixel_of
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer
from rolesynth_assets_tests.mllm.test_sent import ROLE, TEXT, answered


def looks(request: StubRequest) -> str:
    """Name the colour of a card, and describe other pictures by their number."""
    return describe_card(request) or f"{TEXT} {pixel_of(request)}"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(check, "_passed", {})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "data")
    store_images(store, "s1", range(2), picture)
    store_images(store, "s2", range(2, 4), picture)
    return store


def write(
    store: Store, server: StubServer, shard="s1", run="run", work=write_captions, **settings
) -> CaptionReport:
    values = {"model": "stub", "base_url": server.url, "max_retries": 1, **settings}
    known = with_learned(store.root, EngineSettings(engine="openai", **values))
    engine = OpenAIEngine(known, Backoff(0.001, 0.002))
    shown = Preflight(store.root, known, run)
    return asyncio.run(work(store, engine, shard, "set", [ROLE], run_id=run, before_paying=shown))


def cards(server: StubServer) -> int:
    return sum("colour" in request.text for request in server.requests)


def test_a_model_that_looks_is_asked_twice_once_a_run_and_that_is_counted(store):
    with StubServer(looks) as server:
        first = write(store, server)
        assert (first.calls, first.model["preflight_calls"], cards(server)) == (2 + 4, 2, 2)
        assert first.prompt_tokens > 0 and first.captions == 4
        again = write(store, server)
        assert (again.calls, cards(server)) == (0, 2)
        other = write(store, server, "s2")
        assert (other.calls, cards(server)) == (4, 2)
        check._passed.clear()  # as in the next step of the run, a process of its own
        server.answer = (
            lambda request: "Score: 50" if "colour" not in request.text else looks(request)
        )
        write(store, server, work=write_scores)
        assert cards(server) == 2
        store_images(store, "s3", range(4, 5), picture)
        check._passed.clear()
        write(store, server, "s3", run="next")
        assert cards(server) == 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda r: TEXT, "describes a red and a blue card alike: 'a small red apple"),
        (lambda r: f"  A CARD{'!' * r.ordinal}", "alike"),
        (
            lambda r: f"I'm sorry, but I can\u2019t see any images {r.ordinal}",
            "says of a plain red card",
        ),
        (lambda r: f"No image was provided {r.ordinal}.", "says of a plain red card"),
        (lambda r: f"{r.ordinal} As a text-based AI I can only read.", "says of a plain red card"),
        (lambda r: f"Please upload the photo {r.ordinal}", "says of a plain red card"),
        (lambda r: "", "does not describe a plain red card (empty)"),
    ],
)
def test_a_model_that_does_not_look_stops_before_it_is_paid(store, answer, said):
    with StubServer(answer) as server:
        with pytest.raises(EngineError) as caught:
            write(store, server)
        assert len(server.requests) == 2 and store.count("captions") == 0
        for words in (
            said,
            "'stub' at http://127",
            "ROLESYNTH_MODEL",
            "ROLESYNTH_PREFLIGHT to off",
        ):
            assert words in str(caught.value)
        report = write(store, server, preflight=False)
        assert report.calls == 4 and cards(server) == 2


def test_a_server_that_takes_no_pictures_is_named_with_its_words(store):
    fault = Fault("status", 400, '{"detail": "stub is not a multimodal model"}')
    with StubServer(faults=lambda request: fault) as server:
        with pytest.raises(EngineError, match=r"rejected: HTTP 400: stub is not a multimodal"):
            write(store, server)
        assert len(server.requests) == 2


def test_a_passing_fault_of_a_card_stops_nothing(store):
    def fault(request: StubRequest) -> Fault | None:
        return (
            Fault("status", 500) if "red" in looks(request) and "card" in looks(request) else None
        )

    with StubServer(looks, fault) as server:
        assert write(store, server).captions == 4


def test_what_a_server_refuses_is_known_before_ids_are_made(store):
    def fault(request: StubRequest) -> Fault | None:
        if "temperature" in request.payload:
            return Fault("status", 400, '{"detail": "temperature is fixed"}')
        return None

    with StubServer(looks, fault) as server:
        report = write(store, server)
        asked = len(server.requests)
        assert report.captions == 4 and asked in (7, 8)  # the cards are refused, no caption is
        rows = store.read("captions").to_pylist()
        assert {row["revision"] for row in rows} == {"unknown+without.temperature"}
        assert {row["temperature"] for row in rows} == {None}
        check._passed.clear()
        again = write(store, server, run="next")
        assert (again.calls, again.cached, len(server.requests)) == (0, 4, asked)
    path = next((Path(store.root) / "models").iterdir())
    assert json.loads(path.read_text())["left_out"] == ["temperature"]


def test_the_ids_of_a_model_that_refuses_nothing_are_those_of_before(store):
    with StubServer(looks) as server:
        write(store, server, preflight=False)
        ids = set(store.read("captions")["caption_id"].to_pylist())
        check._passed.clear()
        store_images(store, "s1", range(4, 5), picture)
        assert write(store, server).calls == 2 + 2
        assert ids < set(store.read("captions")["caption_id"].to_pylist())


def test_another_version_behind_the_name_stops_before_it_is_paid(store):
    with StubServer(lambda r: answered("stub-2026-01-01", looks(r))) as server:
        write(store, server)
        check._passed.clear()
        server.answer = lambda r: answered("stub-2026-06-01", looks(r))
        with pytest.raises(EngineError) as caught:
            write(store, server, "s2", run="next")
        for words in ("stub-2026-06-01 now", "by stub-2026-01-01", "ROLESYNTH_REVISION", "to off"):
            assert words in str(caught.value)
        assert write(store, server, "s2", run="next", preflight=False).calls == 4
        named = write(store, server, "s2", run="next", revision="june")
        assert named.calls == 2 + 4
        assert write(store, server, "s1", run="next", preflight=False).calls == 0


def test_a_fallback_is_no_new_version_and_is_reported(store, caplog):
    caplog.set_level(logging.WARNING, "rolesynth")
    with StubServer(lambda r: answered("stub", looks(r))) as server:
        write(store, server)
        check._passed.clear()
        server.answer = lambda r: answered("tiny", looks(r))
        assert write(store, server, "s2", run="next").model["other_model"] == 4
    assert "is answered by tiny" in caplog.text


def test_a_parameter_that_is_refused_later_stops_before_it_is_paid(store):
    refuses = Fault("status", 400, '{"error": "top_p is not supported"}')
    with StubServer(looks) as server:
        write(store, server)
        check._passed.clear()
        server.faults = lambda r: refuses if "top_p" in r.payload else None
        with pytest.raises(EngineError, match="does not accept top_p any more"):
            write(store, server, "s2", run="next")
        assert server.payloads[-1]["messages"][0]["content"] == "You describe pictures."


def test_a_parameter_that_is_refused_in_the_middle_stops_before_ids_lie(store):
    refuses = Fault("status", 400, '{"error": "top_p is not supported"}')
    with StubServer(looks) as server:
        write(store, server)
        server.faults = lambda r: refuses if "top_p" in r.payload and r.ordinal >= 7 else None
        with pytest.raises(EngineError) as caught:
            write(store, server, "s2", concurrency=1)
        for words in (
            "not accept top_p any more",
            'EXTRA_BODY to {"top_p": null}',
            "PREFLIGHT to off to keep",
        ):
            assert words in str(caught.value)
        rows = store.read("captions", {"shard": "s2"}).to_pylist()
        assert len(rows) == 1 and json.loads(rows[0]["sent"])["top_p"] == 0.9
        assert not any("top_p" not in payload for payload in server.payloads)
        kept = write(store, server, "s2", preflight=False)
        assert (kept.calls, kept.cached) == (3, 1)
        sent = [
            json.loads(text) for text in store.read("captions", {"shard": "s2"})["sent"].to_pylist()
        ]
        assert sorted("top_p" in one for one in sent) == [False, False, False, True]
        anew = write(store, server, "s2", run="next", extra_body={"top_p": None})
        assert (anew.calls, anew.removed) == (2 + 4, 4)


def test_a_parameter_that_only_the_work_needs_is_known_to_the_next_run(store):
    refuses = Fault("status", 400, '{"error": "temperature must be 0"}')
    with StubServer(looks, lambda r: refuses if r.payload.get("temperature") else None) as server:
        with pytest.raises(EngineError, match=r"does not accept temperature.*Run again"):
            write(store, server, concurrency=1)
        assert store.count("captions") == 0
        check._passed.clear()
        assert write(store, server, run="next").captions == 4
        rows = store.read("captions").to_pylist()
        assert {row["revision"] for row in rows} == {"unknown+without.temperature"}


def test_a_temperature_of_zero_may_be_the_only_one_refused(store):
    refuses = Fault("status", 422, '{"error": "`temperature` must be strictly positive"}')
    with StubServer(
        looks, lambda r: refuses if r.payload.get("temperature") == 0 else None
    ) as server:
        assert write(store, server).captions == 4
        rows = store.read("captions").to_pylist()
        assert {json.loads(row["sent"])["temperature"] for row in rows} == {0.7}
        assert {row["revision"] for row in rows} == {"unknown+without.temperature=0"}


def ask_plainly(store: Store, server: StubServer, run: str, sees: bool) -> int:
    settings = EngineSettings(engine="openai", model="stub", base_url=server.url, max_retries=0)
    engine = OpenAIEngine(with_learned(store.root, settings), Backoff(0.001, 0.002))
    shown = Preflight(store.root, settings, run, sees)
    return asyncio.run(shown(engine, Sampling(1.0, 1.0, 64))).calls  # type: ignore[arg-type]


def test_a_model_without_pictures_answers_a_plain_question(store):
    with StubServer(looks) as server:
        assert ask_plainly(store, server, "run", sees=False) == 1
        assert ask_plainly(store, server, "run", sees=False) == 0
        assert ask_plainly(store, server, "run", sees=True) == 2  # the question shows no sight
        assert ask_plainly(store, server, "run", sees=False) == 0
        check._passed.clear()
        assert ask_plainly(store, server, "run", sees=True) == 0
        assert ask_plainly(store, server, "next", sees=False) == 1
        check._passed.clear()
        assert ask_plainly(store, server, "next", sees=True) == 2


def test_what_the_plain_question_finds_is_known_afterwards(store):
    no_system = Fault("status", 400, '{"error": "System role not supported"}')

    def fault(request: StubRequest) -> Fault | None:
        return no_system if request.payload["messages"][0]["role"] == "system" else None

    with StubServer(looks, fault) as server:
        assert ask_plainly(store, server, "run", sees=False) == 1
        settings = EngineSettings(engine="openai", model="stub", base_url=server.url)
        assert with_learned(store.root, settings).learned.folds_system
        server.faults = lambda request: Fault("status", 400, '{"detail": "not a chat model"}')
        check._passed.clear()
        with pytest.raises(EngineError, match=r"not answer a plain question.*not a chat model"):
            ask_plainly(store, server, "next", sees=False)


def test_a_broken_record_is_none(tmp_path):
    settings = EngineSettings(engine="openai", model="m", base_url="http://127.0.0.1:1/v1")
    path = Path(str(record_path(tmp_path, settings)))
    path.parent.mkdir()
    for text in ("", "{}", "[]", '{"left_out": 3}'):
        path.write_text(text)
        assert read_record(path) is None
        assert with_learned(tmp_path, settings).learned == Learned()


def test_the_embedded_model_is_exempt(tmp_path):
    engine = None  # it is not asked
    shown = Preflight(tmp_path, EngineSettings(), "run")
    assert asyncio.run(shown(engine, ROLE)).calls == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("red", "blue", "seen"),
    [
        ("A red card.", "A blue card.", True),
        ("\u7ea2\u8272", "\u84dd\u8272", True),
        ("A plain red picture without an image in it.", "A blue one.", True),
        ("Red.", "red", False),
        ("I cannot view images.", "I see.", False),
        ("I don't have the ability to view pictures.", "x", False),
        ("There is no image attached to your message.", "x", False),
        ("It looks like you haven't uploaded a picture; please share the image.", "x", False),
    ],
)
def test_unseen(red, blue, seen):
    replies = {name: ChatReply(name, text, None) for name, text in {"r": red, "b": blue}.items()}
    assert (unseen(replies) == "") is seen


def test_a_cut_answer_shows_that_the_model_looks():
    cut = {
        name: ChatReply(name, None, FailureReason.TRUNCATED, f"A {name} card that")
        for name in ("red", "blue")
    }
    assert unseen(cut) == ""
    empty = {name: ChatReply(name, None, FailureReason.TRUNCATED, "") for name in cut}
    assert "truncated" in unseen(empty)
