from __future__ import annotations

from rolesynth_assets.images.checks import (
    no_benchmark_copy,
    no_benchmark_image,
    rejects_bounded,
    shard_not_empty,
)


def test_empty_shard():
    assert shard_not_empty("s", 1, {}).passed
    assert shard_not_empty("s", 0, {"duplicate": 3}).passed
    assert shard_not_empty("s", 0, {"withdrawn": 2}).passed
    assert not shard_not_empty("s", 0, {"corrupt": 1, "source_missing": 4}).passed
    outcome = shard_not_empty("s", 0, {})
    assert (outcome.passed, outcome.value, outcome.threshold) == (False, 0, 1)


def test_a_copied_folder_with_a_broken_file_holds_usable_images():
    """Four files are duplicates of another shard's, and one is cut short."""
    rejects = {"duplicate": 4, "corrupt": 1}
    outcome = shard_not_empty("s", 0, rejects)
    assert (outcome.passed, outcome.value) == (True, 4)
    assert "0 images and 4 duplicate" in outcome.description
    bounded = rejects_bounded("s", 0, rejects, max_share=0.2)
    assert (bounded.passed, bounded.value) == (True, 0.2)
    assert "1 of 5 members rejected" in bounded.description


def test_reject_share_is_held_against_its_bound():
    at_bound = rejects_bounded("s", 8, {"corrupt": 1, "empty": 1}, max_share=0.2)
    assert (at_bound.passed, at_bound.value, at_bound.threshold) == (True, 0.2, 0.2)
    over = rejects_bounded("s", 7, {"corrupt": 2, "empty": 1}, max_share=0.2)
    assert (over.passed, over.value) == (False, 0.3)
    assert "corrupt 2, empty 1" in over.description
    assert over.metadata["rejects_by_reason"] == {"corrupt": 2, "empty": 1}
    assert rejects_bounded("s", 0, {"empty": 3}).value == 1.0
    assert rejects_bounded("s", 0, {}).value == 0.0  # the other check fails


def test_a_failure_names_files_and_ways_out():
    over = rejects_bounded("s", 3, {"corrupt": 1}, 0.2, ["a.heic (corrupt)"])
    assert "Files: a.heic (corrupt)." in over.description
    assert "`rolesynth rejects s`" in over.description
    assert "`rolesynth forget s`" in over.description
    assert "forget" not in rejects_bounded("s", 9, {"corrupt": 1}, 0.2).description


def test_repeated_and_withdrawn_files_are_no_rejects_for_the_bound():
    outcome = rejects_bounded("s", 1, {"duplicate": 9, "withdrawn": 2}, max_share=0.2)
    assert (outcome.passed, outcome.value) == (True, 0.0)
    assert "duplicate 9" in outcome.description  # they are counted all the same
    assert not rejects_bounded("s", 1, {"source_missing": 9, "empty": 1}, max_share=0.2).passed


def test_benchmark_images_are_found_by_id():
    clean = no_benchmark_image("s", ["a", "b"], {"coco": {"c"}, "flickr": set()})
    assert (clean.passed, clean.value, clean.threshold) == (True, 0, 0)
    assert clean.metadata["benchmarks"] == ["coco", "flickr"]
    dirty = no_benchmark_image(
        "s", ["a", "b", "c"], {"coco": {"c", "b"}, "urban": {"c"}, "z": {"q"}}
    )
    assert (dirty.passed, dirty.value) == (False, 2)
    assert dirty.metadata["examples"] == {"coco": ["b", "c"], "urban": ["c"]}
    assert "coco 2, urban 1" in dirty.description


def test_copies_of_benchmark_images_are_named():
    clean = no_benchmark_copy("roles5", ["a", "b"], {})
    assert clean.passed
    found = no_benchmark_copy("roles5", ["a", "b", "c"], {"a": "coco", "c": "coco"})
    assert (found.passed, found.value) == (False, 2)
    assert "2 of 3 images" in found.description and "coco 2" in found.description
    assert found.metadata["examples"] == {"a": "coco", "c": "coco"}
