from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from PIL import Image

from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.nano import architecture
from rolesynth_assets.embedded.nano import engine as embedded_engine
from rolesynth_assets.embedded.nano.engine import (
    BATCH,
    WORKERS,
    EmbeddedEngine,
    shipped_weights,
)
from rolesynth_assets.embedded.script.member import ROLES
from rolesynth_assets.embedded.world.scenes import draw, encode, sample_scene
from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    Sampling,
)
from rolesynth_assets.mllm.factory import declared_model, make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.mllm.stand_in import NANO, SCRIPT
from rolesynth_assets.roles.generate import propose_roles
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets_tests.embedded.cads_requests import ADA, seed, write

IMAGES = [encode(draw(sample_scene(12, index))) for index in range(3)]
ROLE_SETS = load_role_sets(None)


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    return EmbeddedEngine()


def replies(engine: EmbeddedEngine, requests: Iterable[ChatRequest]) -> list[ChatReply]:
    async def collect() -> list[ChatReply]:
        return [reply async for reply in engine.complete(requests)]

    return asyncio.run(collect())


def captions(count: int) -> list[ChatRequest]:
    """Requests as they are made for captions: an image's back to back."""
    asked = [
        (image, role, rule)
        for image in IMAGES
        for role in ROLE_SETS["roles5"].written_roles()
        for rule in DEFAULT_POLICY
    ]
    return [
        ChatRequest(str(n), role.system, role.prompt(rule.kind), rule.sampling, n, (image,))
        for n, (image, role, rule) in enumerate(asked[:: len(asked) // count][:count])
    ]


def text_only(key: str, prompt: str = "Phase 1. Propose roles.") -> ChatRequest:
    return ChatRequest(key, "s", prompt, Sampling(0.7, 0.9, 100), 0)


def test_it_calls_itself_a_stand_in_whose_revision_is_its_weights(tmp_path: Path) -> None:
    identities = []
    for content in (b"one", b"other", b"one"):
        folder = tmp_path / str(len(identities)) / "mine"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(content)
        identities.append(EmbeddedEngine(folder).identity)
    assert all(i.stand_in and i.engine == "embedded" for i in identities)
    assert identities[0] == identities[2]
    assert identities[0].fingerprint() != identities[1].fingerprint()


def test_the_factory_makes_it_by_default() -> None:
    made = make_engine(EngineSettings())
    assert isinstance(made, EmbeddedEngine)
    assert made.identity == EmbeddedEngine().identity


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights in the package's place: `nano` and `nano-scenes`."""
    for name, content in {"nano": b"one", "nano-scenes": b"other"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    (tmp_path / "nano-empty").mkdir()
    monkeypatch.setattr(embedded_engine, "WEIGHTS", tmp_path / "nano")
    return tmp_path


def test_the_factory_chooses_weights_by_name(shelf: Path) -> None:
    models = {
        name: make_engine(EngineSettings(model=name)).identity
        for name in (None, "nano", "nano-scenes")
    }
    assert [identity.model for identity in models.values()] == [NANO, NANO, "nano-scenes"]
    assert models[None] == models["nano"]
    assert models["nano"].revision != models["nano-scenes"].revision
    declared = {declared_model(EngineSettings(model=name)) for name in models}
    assert declared == {identity.fingerprint() for identity in models.values()}


@pytest.mark.parametrize("name", ["nano-empty", "nano-mega", "..", "../nano", "/nano"])
def test_an_unknown_name_lists_those_that_there_are(shelf: Path, name: str) -> None:
    with pytest.raises(EngineError, match="holds nano, nano-scenes"):
        make_engine(EngineSettings(model=name))


def test_missing_weights_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        EngineError, match=r"nano_training\.train --out DIR.*ROLESYNTH_ENGINE"
    ) as error:
        EmbeddedEngine(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_one_reply_a_request_in_order(engine: EmbeddedEngine) -> None:
    looking = captions(4)
    requests = [looking[0], text_only("a"), *looking[1:3], text_only("b"), looking[3]]
    found = replies(engine, requests)
    assert [r.key for r in found] == [r.key for r in requests]
    for reply, request in zip(found, requests, strict=True):
        assert (reply.text is None) != (reply.reason is None)
        if request.images:
            assert reply.prompt_tokens > architecture.IMAGE_TOKENS
            assert 0 < reply.completion_tokens <= request.sampling.max_tokens
            assert reply.finish_reason in ("stop", "length")
            assert reply.latency_s > 0


def test_a_caption_is_the_same_alone_and_in_a_batch(engine: EmbeddedEngine) -> None:
    requests = captions(10)
    together = replies(engine, requests[:5]) + replies(engine, requests[5:])
    alone = [replies(engine, [r])[0] for r in requests]
    assert [(r.text, r.detail) for r in alone] == [(r.text, r.detail) for r in together]
    assert len({r.text or r.detail for r in together}) > 5


def test_a_text_cut_by_the_limit_is_a_reason(engine: EmbeddedEngine) -> None:
    request = captions(1)[0]
    cut = ChatRequest(
        "cut", request.system, request.prompt, Sampling(0.0, 1.0, 2), 0, request.images
    )
    reply = replies(engine, [cut])[0]
    assert (reply.text, reply.reason) == (None, FailureReason.TRUNCATED)
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 2)
    assert reply.detail


def test_an_image_is_encoded_once(engine: EmbeddedEngine, monkeypatch) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (50, 70), "green").save(buffer, "PNG")
    read: list[int] = []
    plain = architecture.read_pixels
    monkeypatch.setattr(
        architecture, "read_pixels", lambda data: read.append(len(data)) or plain(data)
    )
    few = Sampling(0.0, 1.0, 1)
    images = [IMAGES[0], buffer.getvalue(), IMAGES[0], buffer.getvalue()]
    asked = [ChatRequest(str(n), "s", "p", few, 0, (image,)) for n, image in enumerate(images)]
    fresh = EmbeddedEngine()
    replies(fresh, asked)
    replies(fresh, asked[1:])  # remembered from the batch before
    assert read == [2]


def test_text_goes_to_the_script(engine: EmbeddedEngine) -> None:
    told, refused = replies(engine, [text_only("a"), text_only("b", "What is a role?")])
    assert told.text is not None
    assert ROLES[0].name in told.text
    assert (refused.text, refused.reason) == (None, FailureReason.REFUSED)
    assert "stand-in" in refused.detail


def test_what_only_writes_goes_to_the_script_whatever_it_shows(engine: EmbeddedEngine) -> None:
    asked = write(seed("<image>\nHow many objects are there?", IMAGES[0]))
    (reply,) = replies(engine, [asked])
    assert reply.text and "new_question_text" in reply.text
    assert reply.prompt_tokens == 0  # the nano did not read it


def test_the_version_of_the_script_is_part_of_a_members_identity_alone() -> None:
    plain, member = make_engine(EngineSettings()).identity, make_engine(ADA.settings({})).identity
    assert member.revision == f"{plain.revision}+{SCRIPT}"
    assert member.fingerprint() != plain.fingerprint()
    assert "script" not in EngineSettings.from_env(environ={"ROLESYNTH_SCRIPT": "x"}).model_dump()


def test_weights_without_a_tokenizer_use_that_of_nano(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(embedded_engine.WEIGHTS / name, tmp_path / name)
    request = captions(1)
    (theirs,) = replies(EmbeddedEngine(tmp_path), request)
    (ours,) = replies(engine, request)
    assert (theirs.text, theirs.detail) == (ours.text, ours.detail)


def test_the_role_dialogue_works_without_a_network() -> None:
    role_set = ROLE_SETS["generated"]
    dialogue = asyncio.run(propose_roles(EmbeddedEngine(), role_set))
    assert [role.name for role in dialogue.roles] == [r.name for r in ROLES[: role_set.role_count]]
    assert not dialogue.repaired
    assert dialogue.generator == f"nano-mllm@{EmbeddedEngine().identity.revision}"


def test_requests_are_drawn_as_they_are_needed() -> None:
    drawn = 0

    def endless() -> Iterable[ChatRequest]:
        nonlocal drawn
        while True:
            drawn += 1
            yield text_only(str(drawn))

    async def first() -> ChatReply:
        stream = EmbeddedEngine().complete(endless())
        reply = await anext(stream)
        await stream.aclose()
        return reply

    assert asyncio.run(first()).key == "1"
    assert drawn <= WORKERS * BATCH


def test_engines_at_work_at_once_give_torch_its_threads_back() -> None:
    async def overlapping() -> list[int]:
        streams = [EmbeddedEngine().complete([text_only("a"), text_only("b")]) for _ in range(2)]
        for stream in streams:
            await anext(stream)
        threads = []
        for stream in streams:  # the first to begin is the first to end
            threads.append(torch.get_num_threads())
            await stream.aclose()
        return threads

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert (asyncio.run(overlapping()), torch.get_num_threads()) == ([1, 1], 2)
    finally:
        torch.set_num_threads(before)


def test_no_requests_no_replies(engine: EmbeddedEngine) -> None:
    assert replies(engine, []) == []


def test_it_can_be_closed_and_used_again(engine: EmbeddedEngine) -> None:
    request = captions(1)
    before = replies(engine, request)[0]
    asyncio.run(engine.aclose())
    asyncio.run(engine.aclose())
    after = replies(engine, request)[0]
    assert (after.text, after.detail) == (before.text, before.detail)


def test_engines_that_load_at_once_answer_like_one_alone():
    names = ("nano", "nano-scenes", "nano-charts")
    image = encode(draw(sample_scene(5, 1)))
    request = ChatRequest(
        "k", "You look.", "What is the background?", Sampling(0.0, 1.0, 12), 0, (image,)
    )

    async def answer(engine: EmbeddedEngine) -> list[str | None]:
        return [reply.text async for reply in engine.complete([request])]

    async def at_once() -> list[list[str | None]]:
        return await asyncio.gather(*(answer(EmbeddedEngine(shipped_weights(n))) for n in names))

    alone = [asyncio.run(answer(EmbeddedEngine(shipped_weights(n)))) for n in names]
    assert asyncio.run(at_once()) == alone
