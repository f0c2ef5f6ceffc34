"""Hit rates of vLLM's caches, from a server's metrics and from the model in this process."""

import asyncio
from types import SimpleNamespace

import pytest

from rolesynth_assets.mllm.cost.cache_use import CacheUse, read_metrics, spared, summed
from rolesynth_assets.mllm.cost.metered import Meter, MeteredEngine
from rolesynth_assets_tests.mllm.openai.asking import make, numbered
from rolesynth_assets_tests.mllm.stub_server import StubServer

METRICS = """
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="a model, \\"quoted\\" {1}"} 1000.0
vllm:prefix_cache_queries_total{engine="1",model_name="m"} 500.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 600.0 1712345678901
vllm:prefix_cache_hits_total{engine="1",model_name="m"} 1.5e2
vllm:mm_cache_queries_total{engine="0"} 40
vllm:mm_cache_hits_total{engine="0"} 36
vllm_neuron:scheduler_encoder_cache_queries_total 8.0
vllm_neuron:scheduler_encoder_cache_hits_total 2.0
vllm:kv_cache_usage_perc{engine="0"} 0.2
vllm:external_prefix_cache_queries_total{engine="0"} 0.0
vllm:prompt_tokens_total{engine="0"} NaN
"""


def scaled(times: int) -> str:
    """Return metrics whose counters have grown."""
    lines = []
    for line in METRICS.splitlines():
        name, _, value = line.rpartition("} ")
        lines.append(f"{name}}} {float(value.split()[0]) * times}" if name else line)
    return "\n".join(lines)


def test_counters_of_all_engines_are_summed():
    found = read_metrics(METRICS)
    assert found == {
        "prefix_cache": CacheUse(1500, 750),
        "processor_cache": CacheUse(40, 36),
        "scheduler_encoder_cache": CacheUse(8, 2),
        "external_prefix_cache": CacheUse(0, 0),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>no metrics</html>",
        "process_cpu_seconds_total 3",
        "vllm:prefix_cache_hits_total x",
    ],
)
def test_what_counts_no_cache_is_nothing(text):
    assert read_metrics(text) is None


def ask(server: StubServer, metered: bool = True, **changes) -> dict[str, float]:
    made = make(server, **changes)
    engine = MeteredEngine(made, Meter()) if metered else made

    async def run() -> dict[str, float]:
        async with spared(engine) as found:
            async for _ in engine.complete(numbered(3)):
                pass
        return found.metadata

    return asyncio.run(run())


def test_rates_are_of_the_work_and_not_of_what_was_before():
    later = METRICS.replace("1000.0", "1900.0").replace(" 600.0", " 1500.0")
    with StubServer(metrics=[METRICS, later]) as server:
        assert ask(server) == {"prefix_cache_hit_rate": 1.0}
    with StubServer(metrics=[METRICS, scaled(2)]) as server:
        assert ask(server) == {"prefix_cache_hit_rate": 0.5, "processor_cache_hit_rate": 0.9}


@pytest.mark.parametrize(
    "metrics",
    [[], ["up 1"], [METRICS, ""], [METRICS, METRICS], [scaled(2), METRICS]],
    ids=["none", "another server's", "gone", "nothing asked", "started anew"],
)
def test_a_server_that_does_not_count_is_shown_without_rates(metrics):
    with StubServer(metrics=metrics) as server:
        assert ask(server) == {}


@pytest.mark.parametrize(
    "body", ["x" * 5_000_000, METRICS + "vllm:mm_cache_hits_total 1\n" * 50_000]
)
def test_endless_metrics_are_bounded(body):
    with StubServer(metrics=[body]) as server:
        assert ask(server) == {}


def test_metrics_are_asked_with_the_key_of_the_server_alone():
    with StubServer(metrics=[METRICS, METRICS], api_key="sk-own") as server:
        ask(server, api_key="sk-own")
        assert server.metrics_calls == ["Bearer sk-own"] * 2
    with StubServer(metrics=["up 1"]) as server:
        ask(server)
        assert len(server.metrics_calls) == 1  # it counts nothing, so it is not asked again


def test_counters_in_process_have_no_ending():
    samples = [("vllm:prefix_cache_queries", 10.0), ("vllm:prefix_cache_hits", 4.0)]
    assert summed(samples) == {"prefix_cache": CacheUse(10, 4)}
    assert summed([("vllm:num_requests_running", 1.0)]) is None


def test_an_engine_without_caches_has_none():
    async def run() -> dict[str, float]:
        async with spared(SimpleNamespace()) as found:
            pass
        return found.metadata

    assert asyncio.run(run()) == {}
