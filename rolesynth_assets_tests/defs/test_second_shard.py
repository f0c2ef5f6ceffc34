from collections.abc import Sequence

import numpy as np

from rolesynth_assets.pairs import diversity
from rolesynth_assets_tests.defs.small_graph import SmallGraph, hashed_embeddings


def test_second_shard_makes_its_own_partitions_and_the_fan_ins(graph: SmallGraph) -> None:
    first = graph.add_shard("few", range(2))
    graph.refresh()
    graph.models.forget()
    graph.started.clear()
    second = graph.add_shard("more", range(2, 5))
    report = graph.refresh()
    cell = f"{second}|generic1"
    assert graph.started == [
        ("image_shards", second),
        ("raw_captions", cell),
        ("caption_scores", cell),
        ("filter_cutoffs", "generic1"),
        ("filtered_pairs", f"{first}|generic1"),  # the cut is one over all shards
        ("filtered_pairs", cell),
        ("pair_manifests", "generic1"),
        ("dataset_card", "generic1"),
        ("caption_index", "generic1"),
    ]
    assert len(graph.models.captioned) == 3 * 2
    assert report.fresh["role_lists"] == 1
    manifest = graph.small.read("manifests", {"role_set": "generic1"}).sort("shard")
    assert manifest.select("shard", "images", "kept").rows() == [(first, 2, 4), (second, 3, 6)]


def test_new_cut_does_not_measure_the_diversity_of_the_same_captions_again(
    graph: SmallGraph,
) -> None:
    first = graph.add_shard("few", range(2))
    graph.refresh(["generic5"])
    measured: list[Sequence[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        measured.append(texts)
        return hashed_embeddings(texts)

    graph.patch.setattr(diversity, "sentence_embeddings", embed)
    second = graph.add_shard("more", range(2, 5))
    graph.started.clear()
    graph.refresh(["generic5"])
    made = [cell for asset, cell in graph.started if asset == "filtered_pairs"]
    assert made == [f"{first}|generic5", f"{second}|generic5"]
    assert [len(texts) for texts in measured] == [3 * 5 * 2]  # images, captions, length kinds
    rows = graph.small.read("diversity", {"role_set": "generic5"})
    assert dict(rows.select("shard", "n_images").iter_rows()) == {first: 2, second: 3}


def test_image_in_two_shards_is_captioned_once(graph: SmallGraph) -> None:
    graph.set_thresholds(duplicates="all")
    graph.add_shard("few", range(2))
    graph.refresh()
    graph.models.forget()
    graph.add_shard("again", range(1, 3))
    graph.refresh()
    assert len(graph.models.captioned) == 2
    assert len(graph.models.judged) == 2
    assert graph.store.count("captions") == 8


def test_failed_run_over_unchanged_good_content_is_not_repeated(graph: SmallGraph) -> None:
    shard = graph.add_shard("few", range(2))
    graph.refresh()
    graph.patch.setenv("ROLESYNTH_CONCURRENCY", "none")
    assert not graph.materialize("raw_captions", f"{shard}|generic1", raise_on_error=False).success
    graph.patch.delenv("ROLESYNTH_CONCURRENCY")
    assert not any(graph.refresh().ran.values())
