from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from rolesynth_assets.cli.lineage.trace_page import trace_page
from rolesynth_assets.cli.lineage.trace_tree import print_trace
from rolesynth_assets.lineage.trace.graph import Kind, Node, Trace
from rolesynth_assets.lineage.trace.pictures import trace_pictures
from rolesynth_assets.lineage.trace.subject import Subject, SubjectError, find_subject
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.tombstones import Tombstone, write_tombstone
from rolesynth_assets_tests.captions.image_rows import image_data
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld, recipe

UI = "http://ui.example:3000/"
WEIGHTS = "f00d" * 16


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    """Two shards of three images, captioned by two roles; one checkpoint with one score."""
    world = StoredWorld(tmp_path)
    world.add_shard("s0", range(3))
    world.add_shard("s1", range(3, 6))
    world.caption()
    world.train(recipe(), WEIGHTS)
    return world


def kinds(traced: Trace, kind: Kind) -> list[Node]:
    return [node for node in traced.nodes.values() if node.id.kind is kind]


def kept_caption(world: StoredWorld) -> str:
    rows = world.store.read("pairs", None, ["caption_id"], "kept")
    return min(rows["caption_id"].to_pylist())


def dropped_caption(world: StoredWorld) -> dict:
    rows = world.store.read("pairs", None, None, "NOT kept").to_pylist()
    return min(rows, key=lambda row: row["caption_id"])


def test_image_leads_to_captions_scores_pairs_and_what_was_trained_on_them(
    world: StoredWorld,
) -> None:
    image = world.images["s0"][1]
    traced = trace(world.sources, image)
    rows = world.store.read("captions", None, None, f"image_id = '{image}'").to_pylist()
    assert {n.id.key for n in kinds(traced, Kind.CAPTION)} == {r["caption_id"] for r in rows}
    assert len(kinds(traced, Kind.ROLE)) == 2
    assert len(kinds(traced, Kind.SCORE)) == len(kinds(traced, Kind.PAIR)) == len(rows) == 4
    kept = {
        row["caption_id"]
        for row in world.store.read("pairs", None, None, f"image_id = '{image}'").to_pylist()
        if row["kept"]
    }
    (training_set,) = kinds(traced, Kind.TRAINING_SET)
    into = {node.id.key.split("|")[0] for node in traced.causes(training_set.id)}
    assert into == kept and kept
    (checkpoint,) = traced.effects(training_set.id)
    (score,) = traced.effects(checkpoint.id)
    assert "25.0% [15.0%, 35.0%]" in score.facts["top1"]
    assert traced.nodes[traced.subject].facts["source"] == "1.png"
    assert not traced.notes


def test_caption_tells_how_it_was_made_and_why_it_was_dropped(world: StoredWorld) -> None:
    pair = dropped_caption(world)
    traced = trace(world.sources, f"caption:{pair['caption_id'][:20]}")
    subject = traced.nodes[traced.subject]
    assert subject.facts["text"] == pair["text"]
    assert subject.facts["model"] == "fake-captioner@1"
    assert re.match(
        r"temperature 0\.7, top-p 0\.9, \d+ tokens at most, seed \d+", subject.facts["sampling"]
    )
    assert subject.facts["prompt"] == f"Do {pair['role']}. {pair['length'].title()}."
    assert subject.run_id == "caption-run"
    assert {node.id.kind for node in traced.causes(traced.subject)} == {Kind.IMAGE, Kind.ROLE}
    (score,) = traced.effects(traced.subject)
    assert score.facts["score"] == f"{pair['score']} of 100"
    assert score.facts["rationale"] == "as its hash says"
    (decision,) = traced.effects(score.id)
    assert decision.facts["decision"] == "dropped: below_cut"
    assert "for " + pair["length"] in decision.facts["cut"]
    assert not kinds(traced, Kind.TRAINING_SET)


@pytest.mark.parametrize(
    "subject", ["clip_checkpoints[mine|0]", "training_sets[mine]", "benchmark_scores[glyphs|mine]"]
)
def test_artefacts_lead_back_to_rows_and_count_the_rest(world: StoredWorld, subject: str) -> None:
    traced = trace(world.sources, subject, limit=2)
    (training_set,) = kinds(traced, Kind.TRAINING_SET)
    total = world.store.count("pairs", where="kept")
    assert len(kinds(traced, Kind.CAPTION)) == len(kinds(traced, Kind.PAIR)) == 2
    (more,) = kinds(traced, Kind.MORE)
    assert more.label == f"{total - 2} more pairs"
    assert sum(int(count) for count in more.facts.values()) == total - 2
    assert {n.id.kind for n in traced.causes(training_set.id)} == {Kind.PAIR, Kind.MORE}
    for caption in kinds(traced, Kind.CAPTION):
        assert {node.id.kind for node in traced.causes(caption.id)} == {Kind.IMAGE, Kind.ROLE}
    whole = trace(world.sources, subject, limit=0)
    assert len(kinds(whole, Kind.PAIR)) == total
    assert not kinds(whole, Kind.MORE)
    (checkpoint,) = kinds(whole, Kind.CHECKPOINT)
    assert checkpoint.run_id == f"train-{WEIGHTS}"
    assert checkpoint.facts["weights"] == WEIGHTS


def test_two_recipes_with_equal_training_sets_are_kept_apart(world: StoredWorld) -> None:
    mine = next(pin for pin in world.sources.pins if pin.recipe == "mine")
    twin = world.train(recipe(name="twin"), "f" * 64)
    assert (twin.recipe, twin.digest) == ("twin", mine.digest)
    for name in ("mine", "twin"):
        for subject in (f"clip_checkpoints[{name}|0]", f"benchmark_scores[glyphs|{name}]"):
            traced = trace(world.sources, subject, limit=2)
            (training_set,) = kinds(traced, Kind.TRAINING_SET)
            assert training_set.facts["recipe"] == name
            assert {n.id.kind for n in traced.causes(training_set.id)} == {Kind.PAIR, Kind.MORE}


def test_old_checkpoint_keeps_its_rows_after_everything_was_made_again(world: StoredWorld) -> None:
    before = trace(world.sources, "clip_checkpoints[mine|0]", limit=0)
    texts = {node.facts["text"] for node in kinds(before, Kind.CAPTION)}
    image = next(iter(kinds(before, Kind.IMAGE))).id.key
    world.caption(model="another", run_id="later")  # every caption, score and pair is replaced
    after = trace(world.sources, "clip_checkpoints[mine|0]", limit=0)
    assert {node.facts["text"] for node in kinds(after, Kind.CAPTION)} == texts
    assert {node.facts["model"] for node in kinds(after, Kind.CAPTION)} == {"fake-captioner@1"}
    assert {node.run_id for node in kinds(after, Kind.SCORE)} == {"score-caption-run"}

    down = trace(world.sources, image)
    models = {node.facts["model"] for node in kinds(down, Kind.CAPTION)}
    assert models == {"fake-captioner@1", "another@1"}
    (training_set,) = kinds(down, Kind.TRAINING_SET)
    pairs = traced_pairs = down.causes(training_set.id)
    assert pairs and all("of version" in pair.label for pair in traced_pairs)
    for pair in pairs:
        (score,) = down.causes(pair.id)
        (caption,) = down.causes(score.id)
        assert caption.facts["model"] == "fake-captioner@1"


def test_a_score_of_an_overwritten_checkpoint_is_traced_to_what_that_one_saw(
    world: StoredWorld,
) -> None:
    old = {
        n.id.key for n in kinds(trace(world.sources, "training_sets[mine]", limit=0), Kind.CAPTION)
    }
    world.caption(model="another", run_id="later")
    world.train(recipe(), "beef" * 16)
    world.score("mine", 0, WEIGHTS)  # the benchmark has not been run again yet
    traced = trace(world.sources, "benchmark_scores[glyphs|mine]", limit=0)
    assert {node.id.key for node in kinds(traced, Kind.CAPTION)} == old
    (checkpoint,) = kinds(traced, Kind.CHECKPOINT)
    assert checkpoint.warning == "another training took its place on disk"


@pytest.mark.parametrize("cut", ["scores", "random", "all"])
def test_down_and_up_agree_on_what_was_trained_on(world: StoredWorld, cut: str) -> None:
    world.train(recipe("other", cut=cut, draw_seed=3), "cafe" * 16)
    up = trace(world.sources, "training_sets[other]", limit=0)
    trained = {node.id.key for node in kinds(up, Kind.CAPTION)}
    for image in (world.images["s0"][0], world.images["s1"][2]):
        down = trace(world.sources, image)
        found = {
            pair.id.key.split("|")[0]
            for node in kinds(down, Kind.TRAINING_SET)
            if node.facts["recipe"] == "other"
            for pair in down.causes(node.id)
        }
        mine = {n.id.key for n in down.effects(down.subject)}
        assert found == trained & mine


def test_a_purged_version_is_said_and_not_raised(world: StoredWorld) -> None:
    world.caption(model="another", run_id="later")
    world.store.release_versions("pairs", (), now=True)
    world.store.forget_versions("pairs")
    traced = trace(world.sources, "clip_checkpoints[mine|0]")
    assert not kinds(traced, Kind.PAIR)
    assert kinds(traced, Kind.CHECKPOINT)
    assert re.search(r"training set of mine .* has no version \d+", traced.notes[0])


def test_subjects_are_found_by_file_by_beginning_and_by_kind(
    world: StoredWorld, tmp_path: Path
) -> None:
    image = image_id(image_data(2))
    (tmp_path / "two.png").write_bytes(image_data(2))
    sources = world.sources
    for text in (str(tmp_path / "two.png"), image, image[:8].upper(), f"image:{image[:10]}"):
        assert find_subject(sources, text).key == image
    score = world.store.read("scores", None, ["score_id"])["score_id"][0].as_py()
    assert find_subject(sources, score[:16]).table == "scores"
    assert trace(sources, score).subject.kind is Kind.SCORE


def test_an_image_is_found_by_the_url_it_was_read_from(world: StoredWorld) -> None:
    held, gone = world.images["s0"][0], world.images["s0"][1]
    rows = world.store.read("images", {"shard": "s0"}, where=f"image_id = '{held}'")
    url = "s3://pictures/it's a/tar.tar::a b.png"
    place = rows.schema.get_field_index("source")
    world.store.append("images", {"shard": "s0"}, rows.set_column(place, "source", [[url]]))
    write_tombstone(
        world.small, Tombstone(gone, "licence", "2026-01-01T00:00:00", ("s0",), ("gs://b/x",))
    )
    assert find_subject(world.sources, url).key == held
    assert find_subject(world.sources, "gs://b/x").key == gone


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s3://pictures/none.png", r"No image was read from s3://pictures/none\.png"),
        ("no such file.png", "neither a file, nor an id"),
        ("picture:abcdef12", "neither a file, nor an id"),
        ("0" * 64, "No row has the id 0{12}, and no image"),
        ("score:" + "0" * 64, "No row of scores has an id that begins with 0{64}"),
        ("clip_checkpoints[mine|9]", r"No checkpoint 'mine\|9'; there are: mine\|0"),
        ("benchmark_scores[glyphs|yours]", r"No score .* there are: glyphs\|mine"),
        ("raw_captions[s0|two]", "cannot be traced by partition"),
        ("training_sets[yours]", "has no training set yet"),
    ],
)
def test_what_cannot_be_meant_is_explained(world: StoredWorld, text: str, says: str) -> None:
    with pytest.raises(SubjectError, match=says):
        trace(world.sources, text)


def test_an_ambiguous_beginning_lists_what_it_may_be(world: StoredWorld) -> None:
    twins = [f"{'ab' * 5}{number:054d}" for number in (1, 2)]
    rows = world.store.read("pairs", {"shard": "s0", "role_set": ROLE_SET}).slice(0, 2)
    captions = world.store.read("captions", {"shard": "s0", "role_set": ROLE_SET}).slice(0, 2)
    names = captions.set_column(0, "caption_id", [twins])
    world.store.append("captions", {"shard": "s0", "role_set": ROLE_SET}, names)
    assert rows.num_rows == 2
    with pytest.raises(SubjectError, match=f"beginning of 2 ids in captions: {twins[0]}"):
        find_subject(world.sources, "ab" * 5)


def test_json_has_every_node_and_edges_between_them(world: StoredWorld) -> None:
    traced = trace(world.sources, kept_caption(world))
    told = json.loads(json.dumps(traced.to_json()))
    ids = {node["id"] for node in told["nodes"]}
    assert told["subject"] in ids
    assert len(ids) == len(traced.nodes)
    assert {end for edge in told["edges"] for end in edge} <= ids
    assert ["training set", "checkpoint"] in [
        [end.split(":")[0] for end in edge] for edge in told["edges"]
    ]


def test_tree_links_runs_and_writes_a_shared_node_out_once(world: StoredWorld) -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"), force_terminal=True)
    print_trace(trace(world.sources, world.images["s0"][1]), UI, console)
    shown = console.export_text(clear=False, styles=True)
    assert "http://ui.example:3000/runs/caption-run" in shown
    plain = console.export_text()
    assert "led to" in plain and "comes from" not in plain
    assert plain.count("checkpoint mine, seed 0") == 1
    assert plain.count("training set mine") == plain.count("(as above)") + 1


def test_page_is_self_contained_and_other_peoples_words_are_text(world: StoredWorld) -> None:
    where = {"shard": "s0", "role_set": ROLE_SET}
    rows = world.store.read("captions", where)
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    texts = [evil] * rows.num_rows
    index = rows.schema.get_field_index("text")
    world.store.append("captions", where, rows.set_column(index, rows.schema.field(index), [texts]))
    traced = trace(world.sources, world.images["s0"][0])
    page = trace_page(traced, UI, trace_pictures(world.sources, traced))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page and "onerror=alert(2)>" not in page
    assert "http://ui.example:3000/runs/caption-run" in page
    pictures = re.findall(r'<img alt="[^"]*" src="([^"]*)"', page)
    assert pictures and all(p.startswith("data:image/") for p in pictures)
    links = re.findall(r'(?:href|src)="(https?://[^"]*)"', page)
    assert links and all(link.startswith("http://ui.example:3000/runs/") for link in links)


def test_the_digests_that_pages_show_are_taken(world: StoredWorld) -> None:
    pin = world.train(recipe(), "feedc0de" * 8)
    sources = world.sources
    assert find_subject(sources, "feedc0defeedc0de") == Subject("clip_checkpoints", "mine|0")
    assert find_subject(sources, pin.digest[:16]) == Subject("training_sets", "mine")
    assert trace(sources, "feedc0defeedc0de").subject.kind is Kind.CHECKPOINT
    world.train(recipe(), "feedc0de" * 8, seed=1)
    with pytest.raises(SubjectError, match=r"clip_checkpoints\[mine\|0\], clip_checkpoints"):
        find_subject(world.sources, "feedc0defeedc0de")
