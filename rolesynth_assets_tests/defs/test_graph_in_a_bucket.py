"""The whole chain with its data root in a bucket makes what it makes in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.embedded.world.write import WorldSize, write_world
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets_tests.defs.small_graph import SmallGraph, small_graph

WORLD = WorldSize(seed=5, shards=1, images_per_shard=10, held_out=12, glyphs_per_kind=1)
ROLE_SET = RECIPE = "generic1"
PAGES = ("dataset_generic1.md", "ablation.md")


@contextmanager
def chain(project: Path, images: Path, root: DataPath | None) -> Iterator[SmallGraph]:
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.ephemeral() as instance,
        small_graph(project, instance, patch, os.environ, root) as graph,
    ):
        write_world(graph.root, WORLD)
        register_path(graph.root, images, "scenes")
        graph.set_thresholds(min_loss_drop=1.0, min_above_chance=1.0)
        graph.shorten_recipe(RECIPE, steps=3)
        graph.refresh([ROLE_SET], [RECIPE])
        yield graph


def versions(graph: SmallGraph) -> dict[tuple[str, str | None], str]:
    return {
        (asset, partition): entry.asset_materialization.tags["dagster/data_version"]
        for asset in {asset for asset, _ in graph.started}
        for partition, entry in graph.materializations(asset).items()
        if entry.asset_materialization and entry.asset_materialization.tags
    }


def test_the_chain_makes_the_same_in_a_bucket(
    tmp_path: Path, bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = write_world(tmp_path / "world", WORLD)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with chain(tmp_path / "one", images, None) as graph:
        expected = versions(graph)
    monkeypatch.setenv("ROLESYNTH_CACHE", str(tmp_path / "cache"))
    root = data_path(bucket_root)
    with chain(tmp_path / "two", images, root) as graph:
        assert versions(graph) == expected
        assert not list((tmp_path / "two").glob("data*"))
