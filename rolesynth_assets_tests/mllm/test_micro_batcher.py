import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from itertools import islice

import pytest

from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    ModelIdentity,
    Sampling,
)
from rolesynth_assets.mllm.micro_batcher import NOT_SENT, Asker
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import StubServer


def request(text: str, key: str = "same key") -> ChatRequest:
    return ChatRequest(key, "system", text, Sampling(0.0, 1.0, 8), seed=0)


class BatchEngine:
    """Answers what it can take at once as one batch, as the embedded engine does."""

    def __init__(self, size: int = 100) -> None:
        self.size = size
        self.batches: list[list[str]] = []
        self.work: Callable[[], None] = lambda: None
        self.hold: asyncio.Event | None = None
        self.closed = 0

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("batch", "model", "1")

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        pending = iter(requests)
        try:
            while batch := list(islice(pending, self.size)):
                self.batches.append([one.prompt for one in batch])
                await asyncio.sleep(0)
                if self.hold:
                    await self.hold.wait()
                self.work()
                for one in batch:
                    yield ChatReply(one.key, f"answer to {one.prompt}", None)
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        pass


def test_requests_of_one_moment_are_one_batch_and_keep_their_keys():
    engine = BatchEngine()

    async def main() -> list[ChatReply]:
        asker = Asker(engine)
        # equal keys, as two steps of a pipeline may use them
        return await asyncio.gather(*(asker.ask(request(str(n))) for n in range(10)))

    replies = asyncio.run(main())
    assert engine.batches == [[str(n) for n in range(10)]]
    assert [r.text for r in replies] == [f"answer to {n}" for n in range(10)]
    assert {r.key for r in replies} == {"same key"}


def test_what_is_asked_while_the_engine_works_gathers_too():
    engine = BatchEngine(size=4)

    async def chain(asker: Asker, name: str) -> None:
        for step in range(3):
            await asker.ask(request(f"{name}{step}"))

    async def main() -> None:
        asker = Asker(engine, in_flight=8)
        await asyncio.gather(*(chain(asker, name) for name in "abcdefgh"))

    asyncio.run(main())
    assert sum(map(len, engine.batches)) == 24
    assert len(engine.batches) == 6  # never a batch that is not full


def test_no_more_in_flight_than_allowed():
    engine = BatchEngine(size=1000)

    async def main() -> int:
        asker = Asker(engine, in_flight=3)
        replies = await asyncio.gather(*(asker.ask(request(str(n))) for n in range(10)))
        return len(replies)

    assert asyncio.run(main()) == 10
    assert max(map(len, engine.batches)) == 3
    with pytest.raises(ValueError, match="in_flight is 0"):
        Asker(engine, in_flight=0)


def test_slow_answer_does_not_hold_up_what_is_asked_later():
    class SlowAtFirst(BatchEngine):
        async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
            batch = list(requests)
            self.batches.append([one.prompt for one in batch])
            if self.hold and batch[0].prompt == "slow":
                await self.hold.wait()
            for one in batch:
                yield ChatReply(one.key, f"answer to {one.prompt}", None)

    engine = SlowAtFirst()

    async def main() -> None:
        asker = Asker(engine)
        engine.hold = asyncio.Event()
        slow = asyncio.create_task(asker.ask(request("slow")))
        while not engine.batches:
            await asyncio.sleep(0)
        assert (await asker.ask(request("quick"))).text == "answer to quick"
        assert not slow.done()
        engine.hold.set()
        assert (await slow).text == "answer to slow"

    asyncio.run(main())


def test_engine_error_reaches_everyone_who_waits_and_later_ones_try_again():
    engine = BatchEngine()

    def fail() -> None:
        raise EngineError("wrong key")

    engine.work = fail

    async def main() -> None:
        asker = Asker(engine, in_flight=2)
        results = await asyncio.gather(
            *(asker.ask(request(str(n))) for n in range(5)), return_exceptions=True
        )
        assert [str(error) for error in results] == ["wrong key"] * 5
        assert len(engine.batches) == 1  # those that waited were not tried one by one
        engine.work = lambda: None
        assert (await asker.ask(request("later"))).text == "answer to later"

    asyncio.run(main())


def test_an_unanswered_and_a_foreign_reply_are_errors():
    class Forgetful(BatchEngine):
        async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
            for one in requests:
                if one.prompt == "foreign":
                    yield ChatReply("unknown", "text", None)

    async def ask(text: str) -> None:
        await Asker(Forgetful()).ask(request(text, "my key"))

    with pytest.raises(EngineError, match="left 1 requests without a reply, such as 'my key'"):
        asyncio.run(ask("forgotten"))
    with pytest.raises(EngineError, match="replied to 'unknown'"):
        asyncio.run(ask("foreign"))


def test_failed_replies_are_replies():
    class Failing(BatchEngine):
        async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
            for one in requests:
                yield ChatReply(one.key, None, FailureReason.TIMEOUT, "too slow")

    reply = asyncio.run(_ask_once(Failing()))
    assert (reply.reason, reply.detail, reply.key) == (FailureReason.TIMEOUT, "too slow", "k")


def test_a_request_that_is_no_longer_wanted_is_rejected_without_the_engine():
    engine = BatchEngine()

    async def main() -> list[ChatReply]:
        asker = Asker(engine)
        asked = [request("gone"), request("stays")]
        asked[0] = replace(asked[0], wanted=lambda: False)
        return await asyncio.gather(*map(asker.ask, asked))

    gone, stays = asyncio.run(main())
    assert (gone.reason, gone.detail, gone.key) == (FailureReason.REJECTED, NOT_SENT, "same key")
    assert stays.text == "answer to stays" and engine.batches == [["stays"]]


async def _ask_once(engine: BatchEngine) -> ChatReply:
    return await Asker(engine).ask(request("x", "k"))


def test_closing_cancels_who_waits_and_ends_the_engines_iteration():
    engine = BatchEngine()

    async def main() -> list[bool]:
        asker = Asker(engine, in_flight=1)
        engine.hold = asyncio.Event()
        asked = [asyncio.create_task(asker.ask(request(str(n)))) for n in range(3)]
        while not engine.batches:
            await asyncio.sleep(0)
        await asker.aclose()
        await asker.aclose()
        await asyncio.gather(*asked, return_exceptions=True)
        with pytest.raises(EngineError, match="closed"):
            await asker.ask(request("later"))
        return [task.cancelled() for task in asked]

    assert asyncio.run(main()) == [True] * 3
    assert engine.closed == 1


def test_who_gives_up_while_waiting_is_not_asked():
    engine = BatchEngine()

    async def main() -> None:
        asker = Asker(engine, in_flight=1)
        engine.hold = asyncio.Event()
        asked = [asyncio.create_task(asker.ask(request(name))) for name in "abc"]
        while not engine.batches:
            await asyncio.sleep(0)
        asked[0].cancel()  # in flight
        asked[1].cancel()  # waiting
        engine.hold.set()
        assert (await asked[2]).text == "answer to c"

    asyncio.run(main())
    assert engine.batches == [["a"], ["c"]]


def test_server_engine_keeps_its_slots_full():
    """Chains of dependent questions: as many in flight as there are chains, and no more."""
    with StubServer(answer=lambda asked: asked.text.upper(), delay_s=0.05) as server:
        settings = EngineSettings(
            engine="openai", model="stub", base_url=server.url, revision="1", concurrency=4
        )

        async def chain(asker: Asker, name: str) -> str:
            text = name
            for _ in range(5):
                text = str((await asker.ask(request(f"{text}x"))).text).lower()
            return text

        async def main() -> list[str]:
            engine = OpenAIEngine(settings)
            asker = Asker(engine, settings.concurrency)
            try:
                return await asyncio.gather(*(chain(asker, name) for name in "abcdefgh"))
            finally:
                await asker.aclose()
                await engine.aclose()

        assert asyncio.run(main()) == [f"{name}xxxxx" for name in "abcdefgh"]
        assert len(server.requests) == 40
        assert server.max_in_flight == 4
