"""Processor time of a request to an OpenAI-compatible server: ours beside bare clients'.

`python -m rolesynth_assets_tests.measurements.measure_asking` sends the same requests, one small
picture in each and 64 on their way at once, in turns with bare aiohttp, with the bare client of the
package openai, with our engine, and as whole captioning: plan, pictures, journal, screens and table
included. The server is another process. It prints the milliseconds of processor time of a request,
all threads of this process included, the lowest of some rounds, and requests a second of wall time.
`--profile NAME` prints where the time of one of the ways goes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import cProfile
import pstats
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.measurements.asking_server import MODEL, serving
from rolesynth_assets_tests.measurements.captioned_shard import (
    CAPTIONS_AN_IMAGE,
    ROLES,
    shard_of_pictures,
    small_picture,
)

IN_FLIGHT = 64
SAMPLING = Sampling(0.7, 0.9, 256)


def requests(count: int) -> list[ChatRequest]:
    """Return requests that show one picture each, those of a picture one after the other."""
    pictures = [small_picture(number) for number in range(count // CAPTIONS_AN_IMAGE + 1)]
    return [
        ChatRequest(
            f"{number}",
            "You describe pictures.",
            f"Describe the picture as person number {number % 10}. " + "Be exact. " * 20,
            SAMPLING,
            number,
            (pictures[number // CAPTIONS_AN_IMAGE],),
        )
        for number in range(count)
    ]


def body(request: ChatRequest) -> dict[str, Any]:
    """Return a request's body, as a plain script builds it."""
    url = "data:image/png;base64," + base64.b64encode(request.images[0]).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": request.prompt},
    ]
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": parts},
        ],
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "max_tokens": request.sampling.max_tokens,
        "seed": request.seed,
    }


async def _in_flight(
    ask: Callable[[ChatRequest], Awaitable[str]], asked: Iterable[ChatRequest]
) -> None:
    source = iter(asked)

    async def work() -> None:
        for request in source:
            assert await ask(request)

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


async def by_aiohttp(url: str, asked: Sequence[ChatRequest]) -> None:
    """Ask with bare aiohttp."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(request: ChatRequest) -> str:
            async with session.post(f"{url}/chat/completions", json=body(request)) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        await _in_flight(ask, asked)


async def by_openai(url: str, asked: Sequence[ChatRequest]) -> None:
    """Ask with the bare client of the package openai."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask(request: ChatRequest) -> str:
            answer = await client.chat.completions.create(**body(request))
            return answer.choices[0].message.content or ""

        await _in_flight(ask, asked)


def settings(url: str) -> EngineSettings:
    """Return the settings of the engine."""
    return EngineSettings(
        engine="openai", model=MODEL, base_url=url, concurrency=IN_FLIGHT, revision="r"
    )


async def by_engine(url: str, asked: Sequence[ChatRequest]) -> None:
    """Ask with our engine."""
    engine = make_engine(settings(url))
    answered = [reply.key async for reply in engine.complete(asked) if reply.text]
    await engine.aclose()
    assert len(answered) == len(asked)


async def by_captioning(url: str, asked: Sequence[ChatRequest]) -> None:
    """Write as many captions of stored pictures into a table."""
    from rolesynth_assets.captions.captioning import write_captions

    with tempfile.TemporaryDirectory() as folder:
        store = shard_of_pictures(Path(folder), len(asked) // CAPTIONS_AN_IMAGE)
        engine = make_engine(settings(url))
        report = await write_captions(store, engine, "s", "roles", ROLES, run_id="r")
        await engine.aclose()
    assert report.captions == len(asked), report.reasons


WAYS = {
    "aiohttp": by_aiohttp,
    "openai": by_openai,
    "engine": by_engine,
    "captioning": by_captioning,
}


def measured(
    way: Callable[[str, Sequence[ChatRequest]], Any], url: str, asked: Sequence[ChatRequest]
) -> tuple[float, float]:
    """Return the milliseconds of processor time of a request, and requests a second."""
    began, at = time.process_time(), time.perf_counter()
    asyncio.run(way(url, asked))
    spent, took = time.process_time() - began, time.perf_counter() - at
    return spent / len(asked) * 1000, len(asked) / took


def main() -> None:
    """Measure all ways in turns and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--profile", choices=WAYS)
    arguments = parser.parse_args()
    asked = requests(arguments.requests)
    with serving() as url:
        if arguments.profile:
            way = WAYS[arguments.profile]
            asyncio.run(way(url, asked[:200]))
            with cProfile.Profile() as profile:
                asyncio.run(way(url, asked))
            pstats.Stats(profile).sort_stats("cumtime").print_stats(110)
            return
        for name in arguments.only:  # imports and caches
            asyncio.run(WAYS[name](url, asked[:100]))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in arguments.only}
        for _ in range(arguments.rounds):
            for name, rounds in found.items():
                rounds.append(measured(WAYS[name], url, asked))
    least = {name: min(ms for ms, _ in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        ratio = f", x {least['openai'] / least[name]:.1f} of openai's" if "openai" in least else ""
        rate = max(rate for _, rate in rounds)
        print(f"{name:12} {least[name]:6.2f} ms of processor a request, {rate:6.0f}/s{ratio}")


if __name__ == "__main__":
    main()
