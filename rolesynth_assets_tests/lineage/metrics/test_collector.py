"""Metrics are sums over what runs have recorded, and follow what they record next."""

import dagster as dg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rolesynth_assets.lineage.metrics.collector import InstanceMetrics
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets_tests.lineage.little_graphs import World

SHARDS = dg.DynamicPartitionsDefinition(name="image_shard")
ROLE_SETS = dg.StaticPartitionsDefinition(["r5", "generic"])
ORDER = ("asset", "of", "model", "reason", "status")
CAPTIONS = dg.MultiPartitionsDefinition({"role_set": ROLE_SETS, "image_shard": SHARDS})


def asked(calls: int, rows: int, **reasons: int) -> dict:
    return {
        "rolesynth/calls": calls,
        "rolesynth/prompt_tokens": 100 * calls,
        "rolesynth/completion_tokens": 10 * calls,
        "rolesynth/cost": 0.5 * calls,
        "rolesynth/cached": 3,
        "rolesynth/seconds": 1.5,
        "rolesynth/reasons": reasons,
        "rolesynth/captioner": "qwen@v1 (openai)",
        "dagster/partition_row_count": rows,
    }


class Scraped:
    """A little graph, its instance, and what a scrape reads there."""

    def __init__(self, world: World) -> None:
        assets = [
            world.asset("image_shards", SHARDS),
            world.asset("raw_captions", CAPTIONS, deps=[]),
            world.asset("filter_cutoffs", ROLE_SETS),
        ]
        self.instance = world.instance
        self.instance.add_dynamic_partitions("image_shard", ["s0", "s1"])
        self.metrics = InstanceMetrics(Refresher(dg.Definitions(assets), self.instance))
        self._registry = CollectorRegistry()
        self._registry.register(self.metrics)

    def made(self, asset: str, partition: str, metadata: dict | None = None) -> None:
        tags = {"dagster/data_version": "1"}
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=partition, metadata=metadata or {}, tags=tags)
        )

    def values(self, wanted: str) -> dict[tuple[str, ...], float]:
        text = generate_latest(self._registry).decode()
        return {
            tuple(sample.labels[name] for name in ORDER if name in sample.labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == wanted
        }


def test_calls_are_summed_by_asset_role_set_and_model(world):
    scraped = Scraped(world)
    scraped.made("raw_captions", "s0|r5", asked(10, 20))
    scraped.made("raw_captions", "s1|r5", asked(5, 20))
    scraped.made("raw_captions", "s0|generic", asked(1, 2))
    of = ("raw_captions", "r5", "qwen@v1 (openai)")
    assert scraped.values("rolesynth_calls_total") == {
        of: 15,
        ("raw_captions", "generic", "qwen@v1 (openai)"): 1,
    }
    assert scraped.values("rolesynth_prompt_tokens_total")[of] == 1500
    assert scraped.values("rolesynth_cost_total")[of] == 7.5
    assert scraped.values("rolesynth_cached_total")[of] == 6
    assert scraped.values("rolesynth_seconds_total")[of] == 3.0


def test_a_later_run_adds_calls_and_replaces_rows(world):
    scraped = Scraped(world)
    scraped.made("raw_captions", "s0|r5", asked(10, 18, refused=2, timeout=1))
    before = scraped.values("rolesynth_rows_without_text")
    assert before == {("raw_captions", "r5", "refused"): 2, ("raw_captions", "r5", "timeout"): 1}
    scraped.made("raw_captions", "s0|r5", asked(1, 20, refused=2))
    assert scraped.values("rolesynth_rows_without_text") == {("raw_captions", "r5", "refused"): 2}
    assert scraped.values("rolesynth_rows") == {("raw_captions", "r5"): 20}
    assert [*scraped.values("rolesynth_calls_total").values()] == [11]
    assert scraped.values("rolesynth_materializations_total") == {("raw_captions", "r5"): 2}


def test_shards_are_no_label_and_role_sets_are(world):
    scraped = Scraped(world)
    scraped.made("image_shards", "s0")
    scraped.made("image_shards", "s1")
    scraped.made("filter_cutoffs", "r5")
    scraped.made("gone_from_the_graph", "x")
    made = scraped.values("rolesynth_materializations_total")
    assert made["image_shards", ""] == 2
    assert made["filter_cutoffs", "r5"] == 1
    assert made["gone_from_the_graph", ""] == 1
    assert scraped.values("rolesynth_last_made_timestamp_seconds").keys() >= {("image_shards",)}


def test_partitions_are_as_they_were_examined(world):
    scraped = Scraped(world)
    scraped.made("filter_cutoffs", "r5")
    assert scraped.values("rolesynth_partitions") == {}
    scraped.metrics.examine()
    found = scraped.values("rolesynth_partitions")
    assert found["filter_cutoffs", "missing"] == 1
    assert found["filter_cutoffs", "fresh"] + found["filter_cutoffs", "stale"] == 1
    assert found["image_shards", "missing"] == 2
    (examined,) = scraped.values("rolesynth_partitions_examined_timestamp_seconds").values()
    assert examined > 0


def test_runs_are_counted_by_status(world):
    scraped = Scraped(world)
    runs = scraped.values("rolesynth_runs")
    assert runs["started",] == runs["failure",] == 0
