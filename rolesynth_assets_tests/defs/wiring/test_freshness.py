"""What Dagster's daemon says of our assets' age, partitioned ones included."""

import asyncio
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time
from dagster._time import get_current_datetime

from rolesynth_assets import definitions
from rolesynth_assets_tests.defs.small_graph import SmallGraph

WITHOUT = {"role_lists", "cads_seeds"}
"""People edit them when there is a reason to."""


def state(instance: dg.DagsterInstance, asset: str, now: datetime) -> FreshnessState:
    node = definitions.defs.resolve_asset_graph().get(dg.AssetKey(asset))
    with freeze_time(now):
        evaluated = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness(
            LoadingContextForTest(instance), node
        )
        return asyncio.run(evaluated)


def test_every_stage_has_a_window() -> None:
    graph = definitions.defs.resolve_asset_graph()
    without = {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if graph.get(key).freshness_policy is None
    }
    assert without == WITHOUT


def test_age_of_partitioned_assets_is_told(graph: SmallGraph) -> None:
    graph.add_shard("few", range(2))
    now = get_current_datetime()
    assert state(graph.instance, "image_shards", now) is FreshnessState.UNKNOWN
    graph.refresh()
    assert not graph.instance.get_settings("freshness")  # on without a word in dagster.yaml
    assert graph.instance.freshness_enabled
    for asset in ("image_shards", "raw_captions", "filter_cutoffs"):
        found = [state(graph.instance, asset, now + timedelta(weeks=weeks)) for weeks in (4, 6, 14)]
        assert found == [FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL]


def test_shard_made_lately_hides_how_old_the_others_are(graph: SmallGraph) -> None:
    """Dagster looks at the latest of all partitions, which is why windows tell of whole stages."""
    graph.add_shard("few", range(2))
    graph.refresh()
    later = get_current_datetime() + timedelta(weeks=14)
    with freeze_time(later):
        graph.add_shard("more", range(2, 4))
        graph.refresh()
    assert state(graph.instance, "image_shards", later) is FreshnessState.PASS
