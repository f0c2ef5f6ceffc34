"""One image withdrawn from a whole graph: what turns stale, what turns red, what is paid for.

The graph is dear, so the tests share it and go on from one another: their order is never shuffled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.lineage.trace import trace
from rolesynth_assets.cli.lineage.withdraw import withdraw
from rolesynth_assets.definitions import defs
from rolesynth_assets.embedded.world.write import WorldSize, write_world
from rolesynth_assets.lineage.staleness.staleness import examine
from rolesynth_assets.lineage.withdraw.byte_search import files_with, needles_of
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.tombstones import read_tombstones
from rolesynth_assets_tests.defs.small_graph import SmallGraph, noise_picture, small_graph

pytestmark = pytest.mark.random_order(disabled=True)
WORLD = WorldSize(seed=5, shards=1, images_per_shard=1, held_out=12, glyphs_per_kind=1)
GONE = noise_picture(2)
STALE = {
    "raw_captions[first-0000|generic1]",
    "caption_scores[first-0000|generic1]",
    "filter_cutoffs[generic1]",
    "filtered_pairs[first-0000|generic1]",
    "filtered_pairs[second-0000|generic1]",  # by the cut, which is global
    "pair_manifests[generic1]",
    "dataset_card[generic1]",
    "training_sets[generic1]",
    "clip_checkpoints[generic1|0]",
    "ablation_report",
    "benchmark_scores[glyphs|generic1]",
    "caption_index[generic1]",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGraph]:
    """Two shards of four pictures, one role, one checkpoint of two steps, one benchmark."""
    project, home = tmp_path_factory.mktemp("withdrawn"), tmp_path_factory.mktemp("instance")
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with (
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(str(home)) as instance,
        small_graph(project, instance, patch, os.environ) as graph,
    ):
        patch.setenv("DAGSTER_HOME", str(home))
        write_world(graph.root, WORLD)
        for task in ("scenes_long", "scenes_short"):  # one benchmark is enough
            shutil.rmtree(str(graph.root / "benchmarks" / task))
        graph.add_shard("first", range(4))
        graph.add_shard("second", range(10, 14))
        graph.shorten_recipe("generic1", steps=2)
        graph.refresh(["generic1"], ["generic1"])
        yield graph


def invoke(command: Any, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def stale(graph: SmallGraph) -> set[str]:
    state = examine(defs.resolve_asset_graph(), graph.instance)
    return {str(cell) for cell, _ in state.stale()}


def test_withdrawal_from_command_line_to_clean_graph(made: SmallGraph, tmp_path: Path) -> None:
    offered = tmp_path / "picture.png"
    offered.write_bytes(GONE)
    assert not stale(made)

    planned = invoke(withdraw, str(offered), "--reason", "the licence ended", "--dry-run")
    assert "  would be withdrawn on " in planned.output
    assert "rows would be removed: pairs 2, scores 2, captions 2, images 1" in planned.output
    assert "checkpoint: generic1|0" in planned.output
    assert str(Path("pictures", "first", "002.png")) in planned.output
    assert not read_tombstones(made.small) and not stale(made)

    untouched = made.store.digest("captions", {"shard": "second-0000", "role_set": "generic1"})
    done = invoke(withdraw, str(offered), "--reason", "the licence ended", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["removed"] == {"pairs": 2, "scores": 2, "captions": 2, "images": 1}
    assert told["recorded"] == [
        "image_shards[first-0000] changed",
        "training_sets[generic1] failed no_withdrawn_image",
        "clip_checkpoints[generic1|0] failed no_withdrawn_image",
    ]
    assert set(told["stale"]) == stale(made) == STALE
    for asset, key in (("training_sets", "generic1"), ("clip_checkpoints", "generic1|0")):
        check = made.checks(asset, key)["no_withdrawn_image"]
        assert not check.passed and check.metadata["value"].value == 1
    again = json.loads(
        invoke(withdraw, str(offered), "--reason", "the licence ended", "--json").stdout
    )
    assert "image_shards[first-0000] changed" not in again["recorded"]  # said once
    assert again["held_by"] == told["held_by"]

    made.models.forget()
    report = made.refresh(["generic1"], ["generic1"])
    assert not made.models.requests  # what is left had been paid for
    assert report.ran["image_shards"] == 0
    assert report.ran["raw_captions"] == report.ran["clip_checkpoints"] == 1
    assert not stale(made)
    for asset, key in (("training_sets", "generic1"), ("clip_checkpoints", "generic1|0")):
        assert made.checks(asset, key)["no_withdrawn_image"].passed
    left = made.store.digest("captions", {"shard": "second-0000", "role_set": "generic1"})
    assert left == untouched


def test_reading_the_shard_again_refuses_the_bytes_and_changes_nothing(made: SmallGraph) -> None:
    assert image_id(GONE) in read_tombstones(made.small)
    made.materialize("image_shards", "first-0000")
    (reject,) = made.store.read("image_rejects", {"shard": "first-0000"}).to_pylist()
    assert reject["reason"] == "withdrawn"
    assert made.store.count("images", {"shard": "first-0000"}) == 3
    assert not stale(made)


def test_trace_of_the_withdrawn_image_and_of_the_new_checkpoint(made: SmallGraph) -> None:
    gone = invoke(trace, image_id(GONE), "--json")
    subject = json.loads(gone.stdout)["nodes"][0]
    assert subject["warning"].endswith("the licence ended")
    told = json.loads(invoke(trace, "clip_checkpoints[generic1|0]", "--json").stdout)
    kinds = {node["kind"] for node in told["nodes"]}
    assert kinds >= {"image", "role", "caption", "score", "pair", "training set", "checkpoint"}
    runs = {node["run_id"] for node in told["nodes"] if node["run_id"]}
    assert runs and all(made.instance.has_run(run) for run in runs)
    assert image_id(GONE) not in {node["key"] for node in told["nodes"]}
    (checkpoint,) = [node for node in told["nodes"] if node["kind"] == "checkpoint"]
    assert checkpoint["warning"] is None


def test_purge_leaves_the_bytes_nowhere_under_the_data_root(
    made: SmallGraph, tmp_path: Path
) -> None:
    needles = needles_of(GONE)
    assert files_with(made.root, needles)  # in earlier versions
    done = invoke(withdraw, image_id(GONE), "--reason", "the licence ended", "--purge", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["held_before"] and told["still_held"] == []
    assert not files_with(made.root, needles)
    shown = {name for names in told["in_event_log"].values() for name in names}
    assert shown == {"image_shards[first-0000]", "raw_captions[first-0000|generic1]"}
    assert all(made.instance.has_run(run) for run in told["in_event_log"])
    assert told["pins_moved"] == ["generic1"]  # the set made since holds the same rows
    made.models.forget()
    assert not stale(made)
    report = made.refresh(["generic1"], ["generic1"])
    assert not any(report.ran.values()) and not made.models.requests
    page = tmp_path / "trace.html"
    assert invoke(trace, "clip_checkpoints[generic1|0]", "--html", str(page)).exit_code == 0
    assert "data:image/png;base64," in page.read_text()
    shown = invoke(trace, "clip_checkpoints[generic1|0]", "--limit", "1").output
    assert "comes from" in shown and "more pair" in shown
    seen = json.loads(invoke(trace, "clip_checkpoints[generic1|0]", "--json").stdout)
    assert seen["notes"] == [] and len(seen["nodes"]) > 10


def test_lifting_is_said_and_unknown_images_are_refused(made: SmallGraph) -> None:
    assert invoke(withdraw, "abcdef12", "--reason", "x").exit_code == 2
    assert invoke(withdraw, image_id(GONE)).exit_code == 2  # no reason
    lifted = invoke(withdraw, image_id(GONE), "--lift")
    assert lifted.exit_code == 0
    assert "materialize image_shards[first-0000]" in lifted.output
    assert not read_tombstones(made.small)
    assert invoke(withdraw, image_id(GONE), "--lift").exit_code == 2
