import pytest

from rolesynth_assets.lineage.refresh.runner import RefreshError
from rolesynth_assets_tests.defs.small_graph import SmallGraph, noise_picture

CELL = "few-0000|generic1"


def test_blocking_check_stops_what_is_downstream_until_it_is_mended(graph: SmallGraph) -> None:
    graph.add_shard("few", range(3))
    graph.models.judge = lambda request: "50\nno idea"
    for attempt in (1, 2):  # the stored scores are current, and still they are not good
        with pytest.raises(RefreshError) as caught:
            graph.refresh()
        message = str(caught.value)
        assert message.startswith(
            f"caption_scores[{CELL}]: blocking check scores_not_degenerate failed: "
            "100% of 6 scores are 50"
        )
        assert graph.started.count(("caption_scores", CELL)) == attempt
        assert not graph.materializations("filter_cutoffs")
    assert len(graph.models.judged) == 6

    graph.set_thresholds(max_one_score_share=1, min_score_std=0)
    report = graph.refresh()
    assert report.ran["caption_scores"] == 1
    assert report.fresh["raw_captions"] == 1
    assert report.ran["filtered_pairs"] == 1
    assert graph.refresh().ran["caption_scores"] == 0


def test_shard_of_broken_files_is_refused_before_a_model_is_called(graph: SmallGraph) -> None:
    folder = graph.project / "pictures" / "few"
    folder.mkdir(parents=True)
    (folder / "zero.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(noise_picture(0)[:200])
    graph.add_shard("few", range(2))
    with pytest.raises(RefreshError, match=r"image_shards\[few-0000\]: .* rejects_bounded failed"):
        graph.refresh()
    assert not graph.models.requests
    check = graph.checks("image_shards", "few-0000")["rejects_bounded"]
    assert check.metadata["value"].value == 0.5
    assert check.metadata["threshold"].value == 0.2


def test_failed_run_names_asset_partition_and_reason_and_runs_again(graph: SmallGraph) -> None:
    graph.add_shard("few", range(2))

    def no_disk(request: object) -> str:
        raise OSError("no space left on the disk of captions")

    write, graph.models.caption = graph.models.caption, no_disk
    with pytest.raises(RefreshError) as caught:
        graph.refresh()
    message = str(caught.value)
    assert message.startswith(f"raw_captions[{CELL}] failed: ")
    assert "no space left on the disk of captions" in message
    assert not graph.materializations("raw_captions")

    graph.models.caption = write
    report = graph.refresh()
    assert (report.fresh["image_shards"], report.ran["raw_captions"]) == (1, 1)


def test_failure_after_a_good_run_leaves_the_partition_stale(graph: SmallGraph) -> None:
    graph.add_shard("few", range(2))
    graph.refresh()
    graph.patch.setenv("ROLESYNTH_MODEL", "another")

    def broken(request: object) -> str:
        raise RuntimeError("the new model is broken")

    write, graph.models.caption = graph.models.caption, broken
    with pytest.raises(RefreshError, match="the new model is broken"):
        graph.refresh()
    graph.models.caption = write
    assert graph.refresh().ran["raw_captions"] == 1


def test_a_shell_without_the_model_does_not_replace_what_was_paid_for(graph: SmallGraph) -> None:
    shard = graph.add_shard("few", range(2))
    for name, value in (("ENGINE", "openai"), ("MODEL", "qwen"), ("BASE_URL", "http://h/v1")):
        graph.patch.setenv(f"ROLESYNTH_{name}", value)
    graph.refresh()
    paid = graph.store.digest("captions", {"shard": shard})
    for name in ("ENGINE", "MODEL", "BASE_URL"):
        graph.patch.delenv(f"ROLESYNTH_{name}")
    graph.models.forget()
    with pytest.raises(RefreshError, match="4 captions of few-0000, generic1 are by qwen, and no"):
        graph.refresh()
    assert not graph.models.requests
    assert graph.store.digest("captions", {"shard": shard}) == paid
    graph.patch.setenv("ROLESYNTH_ENGINE", "embedded")  # asked for by name
    assert graph.refresh().ran["raw_captions"] == 1
