import asyncio

import pytest

from rolesynth_assets.mllm.cost.metered import Meter, MeteredEngine
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Sampling
from rolesynth_assets_tests.captions.fake_engine import FakeEngine


def request(key: str) -> ChatRequest:
    return ChatRequest(key, "", "describe", Sampling(0.0, 1.0, 8), 0)


def test_replies_are_counted_up_to_the_one_at_which_the_engine_gave_up() -> None:
    written: list[str] = []

    def write(asked: ChatRequest) -> str:
        written.append(asked.key)
        if len(written) == 3:
            raise EngineError("the server is gone")
        return "a red apple"

    engine = FakeEngine(model="fake", write=write)
    meter = Meter(Prices(per_call=0.5))
    metered = MeteredEngine(engine, meter)
    assert metered.identity == engine.identity

    async def ask() -> None:
        async for _ in metered.complete([request(str(number)) for number in range(5)]):
            pass

    with pytest.raises(EngineError, match="the server is gone"):
        asyncio.run(ask())
    assert (meter.spent.calls, meter.spent.cost) == (2, 1.0)
    assert meter.spent != Spent()
