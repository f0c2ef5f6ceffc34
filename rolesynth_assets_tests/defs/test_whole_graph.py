"""From image tars to benchmark scores, twice, with fake models and two recipes of six steps."""

import os
from collections.abc import Iterator

import dagster as dg
import pytest

from rolesynth_assets.cli.lineage.trace import stored_sources
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.embedded.world.write import WorldSize, write_world
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.lineage.refresh.runner import RefreshReport
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.trace.shown import partitions_showing
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets_tests.defs.shown_ids import shown_ids, untraced
from rolesynth_assets_tests.defs.small_graph import SmallGraph, small_graph

ROLE_SETS = ("roles5", "generic1")
RECIPES = ("roles5", "generic1")
IMAGES = 10
WORLD = WorldSize(seed=5, shards=1, images_per_shard=IMAGES, held_out=12, glyphs_per_kind=1)
MADE = {
    "image_shards": 1,
    "role_lists": 2,
    "raw_captions": 2,
    "caption_scores": 2,
    "filter_cutoffs": 2,
    "filtered_pairs": 2,
    "pair_manifests": 2,
    "dataset_card": 2,
    "caption_index": 2,
    "training_sets": 2,
    "clip_checkpoints": 2,
    "benchmark_scores": 6,
    "ablation_report": 1,
}
ROWS = {  # of each partition, generic1 first
    "image_shards": [IMAGES],
    "role_lists": [1, 5],
    "raw_captions": [2 * IMAGES, 10 * IMAGES],
    "caption_scores": [2 * IMAGES, 10 * IMAGES],
    "filter_cutoffs": [2, 2],
    "filtered_pairs": [2 * IMAGES, 10 * IMAGES],
    "pair_manifests": [1, 1],
    "training_sets": [2 * IMAGES, 2 * IMAGES],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallGraph, RefreshReport]]:
    project = tmp_path_factory.mktemp("whole")
    home = tmp_path_factory.mktemp("instance")
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(str(home)) as instance,
        small_graph(project, instance, patch, os.environ) as graph,
    ):
        register_path(graph.root, write_world(graph.root, WORLD), "scenes")
        graph.set_thresholds(min_loss_drop=1.0, min_above_chance=1.0)
        for recipe in RECIPES:
            graph.shorten_recipe(recipe, steps=6)
        report = graph.refresh(ROLE_SETS, RECIPES)
        assert len(graph.models.captioned) == IMAGES * (5 + 1) * 2
        yield graph, report


def test_first_refresh_makes_every_target(world: tuple[SmallGraph, RefreshReport]) -> None:
    graph, report = world
    assert report.ran == MADE
    assert not any(report.fresh.values())
    assert {asset: len(graph.materializations(asset)) for asset in MADE} == MADE


@pytest.mark.parametrize("asset", MADE)
def test_materializations_carry_version_rows_and_columns(
    world: tuple[SmallGraph, RefreshReport], asset: str
) -> None:
    rows = []
    for entry in world[0].materializations(asset).values():
        materialization = entry.asset_materialization
        assert materialization and materialization.tags
        assert len(materialization.tags["dagster/data_version"]) >= 64
        metadata = materialization.metadata
        if asset in ROWS:
            rows.append(metadata["dagster/partition_row_count"].value)
            schema = metadata["dagster/column_schema"].value
            lineage = metadata["dagster/column_lineage"].value
            assert isinstance(schema, dg.TableSchema)
            assert isinstance(lineage, dg.TableColumnLineage)
            columns = {column.name for column in schema.columns}
            assert set(lineage.deps_by_column) <= columns
    assert sorted(rows) == ROWS.get(asset, [])


def test_data_version_is_the_content_digest(world: tuple[SmallGraph, RefreshReport]) -> None:
    graph, _ = world
    for asset, table in {
        "raw_captions": "captions",
        "caption_scores": "scores",
        "filtered_pairs": "pairs",
    }.items():
        for role_set in ROLE_SETS:
            entry = graph.materializations(asset)[f"scenes-0000|{role_set}"]
            where = {"shard": "scenes-0000", "role_set": role_set}
            assert entry.asset_materialization and entry.asset_materialization.tags
            version = entry.asset_materialization.tags["dagster/data_version"]
            assert version == graph.store.digest(table, where)


@pytest.mark.parametrize("asset", MADE)
def test_every_declared_check_was_evaluated_for_its_partition(
    world: tuple[SmallGraph, RefreshReport], asset: str
) -> None:
    graph, _ = world
    keys = defs.resolve_asset_graph().get_check_keys_for_assets({dg.AssetKey(asset)})
    for partition in graph.materializations(asset):
        evaluations = graph.checks(asset, partition)
        assert set(evaluations) == {key.name for key in keys}
        assert evaluations.pop("up_to_date").passed  # it measures nothing
        assert all("value" in e.metadata for e in evaluations.values())


def test_stand_in_and_pictures_are_shown(world: tuple[SmallGraph, RefreshReport]) -> None:
    entry = world[0].materializations("raw_captions")["scenes-0000|roles5"]
    assert entry.asset_materialization
    metadata = entry.asset_materialization.metadata
    assert str(metadata["rolesynth/captioner"].value).endswith("- embedded stand-in")
    assert "data:image/png;base64," in str(metadata["rolesynth/gallery_1"].value)


def test_every_id_that_a_page_shows_can_be_traced(world: tuple[SmallGraph, RefreshReport]) -> None:
    graph, _ = world
    found = shown_ids(graph.instance)
    names = {where.partition("[")[0] for where in found.values()}
    assert {"rolesynth/gallery_ids of raw_captions", "run of image_shards"} <= names
    assert {"data version of role_lists", "data version of benchmark_scores"} <= names
    assert untraced(graph.instance) == {}
    sources = stored_sources()
    role = graph.store.read("roles", {"role_set": "generic1"})["role_fingerprint"][0].as_py()
    labels = [node.label for node in trace(sources, role).nodes.values()]
    assert f"{2 * IMAGES} captions in 1 shard" in labels
    recipe = partitions.RECIPES["roles5"].digest
    assert list(partitions_showing(graph.instance, recipe[:12])) == [
        Cell("training_sets", "roles5"),
        Cell("recipe_files", "roles5"),
    ]


def test_checks_of_training_and_scores_can_fail(world: tuple[SmallGraph, RefreshReport]) -> None:
    graph, report = world
    falls = graph.checks("clip_checkpoints", "roles5|0")["loss_falls"]
    assert not falls.passed
    assert falls.severity is dg.AssetCheckSeverity.WARN
    assert falls.metadata["threshold"].value == 1.0  # rolesynth.yaml's, not the default
    assert float(str(falls.metadata["value"].value)) < 1.0
    chance = graph.checks("benchmark_scores", "scenes_long|roles5")["above_chance"]
    assert not chance.passed and chance.metadata["threshold"].value == 1.0
    assert any(w.startswith("clip_checkpoints[roles5|0]: loss_falls: ") for w in report.warnings)


def test_baseline_is_scored_first_and_compared_with(
    world: tuple[SmallGraph, RefreshReport],
) -> None:
    graph, _ = world
    order = [key for asset, key in graph.started if asset == "benchmark_scores"]
    assert [str(key).split("|")[1] for key in order] == ["generic1"] * 3 + ["roles5"] * 3
    compared = graph.checks("benchmark_scores", "glyphs|roles5")["not_worse_than_baseline"]
    assert "against" in (compared.description or "")
    alone = graph.checks("benchmark_scores", "glyphs|generic1")["not_worse_than_baseline"]
    assert alone.description == "Nothing to compare with: baseline base has no scores yet."


def test_second_refresh_makes_nothing_and_calls_no_model(
    world: tuple[SmallGraph, RefreshReport],
) -> None:
    graph, _ = world
    graph.models.forget()
    report = graph.refresh(ROLE_SETS, RECIPES)
    assert report.fresh == MADE
    assert not any(report.ran.values())
    assert not graph.models.requests
