"""Each asset's checks can fail, and show the measured value beside its threshold."""

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from rolesynth_assets.captions.lengths import LengthKind
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.embedded.world.write_benchmark import write_retrieval
from rolesynth_assets.mllm.engine import ChatRequest, FailureReason
from rolesynth_assets.pairs import diversity
from rolesynth_assets_tests.defs.fake_models import hashed_score
from rolesynth_assets_tests.defs.small_graph import SmallGraph, noise_picture

CELL = "few-0000|generic1"


@pytest.fixture
def ingested(graph: SmallGraph) -> SmallGraph:
    graph.instance.add_dynamic_partitions("image_shard", [graph.add_shard("few", range(3))])
    graph.materialize("image_shards", "few-0000")
    return graph


@pytest.fixture
def captioned(ingested: SmallGraph) -> SmallGraph:
    for asset, partition in (
        ("role_lists", "generic1"),
        ("raw_captions", CELL),
        ("caption_scores", CELL),
        ("filter_cutoffs", "generic1"),
        ("filtered_pairs", CELL),
        ("pair_manifests", "generic1"),
    ):
        ingested.materialize(asset, partition)
    return ingested


def failing(
    graph: SmallGraph, asset: str, partition: str, *, blocking: bool
) -> dict[str, tuple[object, object]]:
    """Materialize and return (value, threshold) of the failed checks."""
    outcome = graph.materialize(asset, partition, raise_on_error=False)
    assert outcome.success is not blocking
    return {
        name: (evaluation.metadata["value"].value, evaluation.metadata["threshold"].value)
        for name, evaluation in graph.checks(asset, partition).items()
        if not evaluation.passed
    }


def test_roles_that_are_the_same(ingested: SmallGraph) -> None:
    role_set = partitions.ROLE_SETS["roles5"]
    twin = role_set.roles[0].model_copy(update={"name": "Twin"})
    ingested.patch.setitem(
        partitions.ROLE_SETS,
        "roles5",
        role_set.model_copy(update={"roles": (*role_set.roles[:4], twin)}),
    )
    assert failing(ingested, "role_lists", "roles5", blocking=True) == {
        "roles_distinct": (1.0, 0.8)
    }


def test_generated_roles_come_out_of_the_dialogue(ingested: SmallGraph) -> None:
    outcome = ingested.materialize("role_lists", "generated")
    (event,) = outcome.asset_materializations_for_node("role_lists")
    wanted = partitions.ROLE_SETS["generated"].role_count
    assert event.metadata["rolesynth/roles"].value == wanted
    assert "fake" in str(event.metadata["rolesynth/generator"].value)
    assert ingested.store.count("roles", {"role_set": "generated"}) == wanted
    assert all(check.passed for check in outcome.get_asset_check_evaluations())


def test_captions_that_are_refused(ingested: SmallGraph) -> None:
    ingested.materialize("role_lists", "generic1")
    ingested.models.fail = lambda request: FailureReason.REFUSED
    assert failing(ingested, "raw_captions", CELL, blocking=True) == {
        "failures_bounded": (1.0, 0.1),
        "refusals_bounded": (1.0, 0.02),
    }


def test_captions_that_talk_about_their_role(ingested: SmallGraph) -> None:
    ingested.materialize("role_lists", "generic1")
    ingested.set_thresholds(max_failure_share=1, max_persona_share=0.3)
    write = ingested.models.caption

    def persona(request: ChatRequest) -> str:
        short = request.sampling.max_tokens == 48
        return f"As an AI language model, {write(request)}" if short else write(request)

    ingested.models.caption = persona
    found = failing(ingested, "raw_captions", CELL, blocking=False)
    assert found == {"persona_talk_bounded": (0.5, 0.3)}


def test_judge_that_gives_no_scores(ingested: SmallGraph) -> None:
    ingested.materialize("role_lists", "generic1")
    ingested.materialize("raw_captions", CELL)
    ingested.models.judge = lambda request: "a lovely caption"
    assert failing(ingested, "caption_scores", CELL, blocking=True) == {
        "scores_not_degenerate": (1.0, 0.8),
        "parse_failures_bounded": (1.0, 0.02),
    }


def test_cut_that_empties_a_role(ingested: SmallGraph) -> None:
    observer = partitions.ROLE_SETS["roles5"].roles[0].name

    def harsh(request: ChatRequest) -> str:
        return "1\nharsh" if observer in request.prompt else hashed_score(request)

    ingested.models.judge = harsh
    ingested.materialize("role_lists", "roles5")
    for asset in ("raw_captions", "caption_scores"):
        ingested.materialize(asset, "few-0000|roles5")
    assert failing(ingested, "filter_cutoffs", "roles5", blocking=False) == {
        "no_role_wiped_out": (0.0, 0.02)
    }


def test_captions_that_all_say_the_same(captioned: SmallGraph) -> None:
    role_set = partitions.ROLE_SETS["generic1"]
    twin = role_set.roles[0].model_copy(update={"name": "Twin", "responsibilities": "Look twice."})
    captioned.patch.setitem(
        partitions.ROLE_SETS,
        "generic1",
        role_set.model_copy(update={"roles": (*role_set.roles, twin)}),
    )
    same = np.eye(1, 4, dtype=np.float32)
    captioned.patch.setattr(diversity, "sentence_embeddings", lambda t: same.repeat(len(t), 0))
    for asset, partition in (
        ("role_lists", "generic1"),
        ("raw_captions", CELL),
        ("caption_scores", CELL),
        ("filter_cutoffs", "generic1"),
    ):
        captioned.materialize(asset, partition)
    found = failing(captioned, "filtered_pairs", CELL, blocking=False)
    assert found == {"diversity_not_collapsed": (pytest.approx(1.0), 0.97)}
    check = captioned.checks("filtered_pairs", CELL)["diversity_not_collapsed"]
    assert check.severity is dg.AssetCheckSeverity.WARN


def test_pairs_that_are_not_those_of_the_cut(captioned: SmallGraph) -> None:
    """Rows changed behind Dagster's back are found by the manifest, and by the training set."""
    where = {"shard": "few-0000", "role_set": "generic1"}
    pairs = pl.DataFrame(captioned.store.read("pairs", where))
    long = pl.col("length") == str(LengthKind.LONG)
    captioned.store.replace("pairs", where, pairs.with_columns(kept=~long).to_arrow())
    captioned.shorten_recipe("generic1", steps=2)
    stale = failing(captioned, "training_sets", "generic1", blocking=True)
    assert set(stale) == {"manifest_matches_tables"}
    assert failing(captioned, "pair_manifests", "generic1", blocking=True) == {
        "pairs_match_cutoffs": (3, 6)
    }


def test_training_image_that_stands_in_a_benchmark(captioned: SmallGraph) -> None:
    samples = [(noise_picture(number), ["a picture of noise"]) for number in (2, 90)]
    write_retrieval(Path(str(captioned.root)) / "benchmarks" / "scenes_long", samples)
    assert failing(captioned, "training_sets", "generic1", blocking=True) == {
        "no_benchmark_image": (1, 0)
    }
    assert failing(captioned, "image_shards", "few-0000", blocking=True) == {
        "no_benchmark_image": (1, 0)
    }
