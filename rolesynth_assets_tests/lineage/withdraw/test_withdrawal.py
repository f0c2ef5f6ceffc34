from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.drawing.renderer import Drawing
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.clip.checkpoint.files import REFERENCE
from rolesynth_assets.clip.data.pixel_rows import open_rows
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.lineage.withdraw.artefacts import ArtefactKind
from rolesynth_assets.lineage.withdraw.byte_search import files_with, image_needles, needles_of
from rolesynth_assets.lineage.withdraw.purge import purge
from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal, withdraw
from rolesynth_assets.mllm.engine import ChatReply
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.tombstones import read_tombstones
from rolesynth_assets.training_sets.pins import pinned_rows, read_pins
from rolesynth_assets_tests.lineage.stored_problems import (
    ROUNDS,
    SEED_IMAGES,
    drawn,
    key,
    store_problems,
)
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld, recipe
from rolesynth_assets_tests.property_profiles import examples

IMAGE_TABLES = ("images", "captions", "scores", "pairs")
REASON = "the licence  ended"


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    """Two shards; a recipe that trains on long captions and one that trains on all."""
    world = StoredWorld(tmp_path)
    world.add_shard("s0", range(3))
    world.add_shard("s1", range(3, 6))
    world.caption()
    world.train(recipe("kept_long", lengths=["long"]), "a" * 64)
    world.train(recipe("all", cut="all"), "b" * 64)
    return world


def take_out(world: StoredWorld, *images: str, **options: object) -> Withdrawal:
    return withdraw(world.store, world.small, world.root, images, REASON, **options)  # type: ignore[arg-type]


def not_kept_long(world: StoredWorld) -> str:
    """An image of which no long caption was kept."""
    rows = world.store.read("pairs", None, ["image_id"], "kept AND length = 'long'")
    kept = set(rows["image_id"].to_pylist())
    return min(i for ids in world.images.values() for i in ids if i not in kept)


def test_every_row_of_the_image_goes_and_no_other(world: StoredWorld) -> None:
    gone = world.images["s0"][1]
    left = {t: world.store.read(t, None, None, f"image_id != '{gone}'") for t in IMAGE_TABLES}
    done = take_out(world, gone)
    assert done.removed == {"images": 1, "captions": 4, "scores": 4, "pairs": 4}
    for table in IMAGE_TABLES:
        spec_key = left[table].schema.names[0]
        now = world.store.read(table).sort_by(spec_key)
        assert now.equals(left[table].sort_by(spec_key)), table
    stone = read_tombstones(world.small)[gone]
    assert (stone.reason, stone.shards, stone.sources) == ("the licence ended", ("s0",), ("1.png",))
    assert done.shards == ["s0"]


def test_decoded_pixels_and_tokens_of_the_image_go(world: StoredWorld) -> None:
    ids = tuple(sorted(i for shard in world.images.values() for i in shard))
    rows = open_rows(world.root, "224", 12, ids, 10**6)
    assert rows is not None
    rows.add(np.arange(6), np.arange(1, 73, dtype=np.uint8).reshape(6, 2, 2, 3))
    tokens = DataPaths(world.root).token_cache / "of some set"
    tokens.mkdir(parents=True)
    take_out(world, ids[2], dry_run=True)
    assert tokens.is_dir() and rows.read(np.arange(6), np.empty((6, 2, 2, 3), np.uint8)).all()
    take_out(world, ids[2])
    assert not tokens.exists()
    (file,) = DataPaths(world.root).pixel_cache.rglob("rows")
    expected = np.arange(1, 73, dtype=np.uint8)
    expected[24:36] = 0
    assert file.read_bytes() == expected.tobytes()


def test_only_what_was_trained_on_the_image_is_marked(world: StoredWorld) -> None:
    gone = not_kept_long(world)
    done = take_out(world, gone)
    assert done.named(ArtefactKind.TRAINING_SET) == ["all"]
    assert done.named(ArtefactKind.CHECKPOINT) == ["all|0"]
    traced = trace(world.sources, "clip_checkpoints[all|0]")
    assert traced.nodes[traced.subject].warning == f"holds 1 withdrawn image: {gone[:12]}"
    clean = trace(world.sources, "clip_checkpoints[kept_long|0]")
    assert not clean.nodes[clean.subject].warning
    image = trace(world.sources, gone)  # the old rows still tell where it went
    assert image.nodes[image.subject].warning.endswith(": the licence ended")


def test_a_dry_run_finds_the_same_and_changes_nothing(world: StoredWorld) -> None:
    gone = world.images["s1"][0]
    versions = {table: world.store.version(table) for table in IMAGE_TABLES}
    told = take_out(world, gone, dry_run=True)
    assert {table: world.store.version(table) for table in IMAGE_TABLES} == versions
    assert not read_tombstones(world.small)
    done = take_out(world, gone)
    assert (told.removed, told.artefacts) == (done.removed, done.artefacts)


@pytest.mark.parametrize("survivors", [1, 3])
def test_a_withdrawal_cut_short_is_completed_by_the_same_command(
    world: StoredWorld, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    gone = not_kept_long(world)
    whole = take_out(world, gone, dry_run=True)
    remove, calls = Store.remove, []

    def killed(store: Store, table: str, where: str) -> int:
        calls.append(table)
        if len(calls) > survivors:
            raise KeyboardInterrupt
        return remove(store, table, where)

    monkeypatch.setattr(Store, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        take_out(world, gone)
    monkeypatch.setattr(Store, "remove", remove)
    first = read_tombstones(world.small)[gone]
    done = take_out(world, gone)
    assert not any(world.store.count(t, where=f"image_id = '{gone}'") for t in IMAGE_TABLES)
    assert read_tombstones(world.small)[gone] == first
    assert (done.artefacts, done.shards) == (whole.artefacts, whole.shards)


def test_pages_and_benchmarks_that_hold_it_are_named(world: StoredWorld) -> None:
    gone = world.images["s0"][0]
    text = world.store.read("captions", None, ["text"], f"image_id = '{gone}'")["text"][0].as_py()
    (world.root / "reports").mkdir()
    (world.root / "reports" / "dataset_two.md").write_text(f"Examples\n> {text}\n")
    (world.root / "reports" / "ablation.md").write_text("Numbers only.")
    done = take_out(world, gone, benchmarks={"mine": {gone}, "other": {"x"}})
    assert done.named(ArtefactKind.REPORT) == ["reports/dataset_two.md"]
    assert done.named(ArtefactKind.BENCHMARK) == ["mine"]


def test_an_image_never_seen_is_refused_from_now_on(world: StoredWorld) -> None:
    done = take_out(world, "e" * 64)
    assert (done.removed, done.artefacts) == ({}, ())
    assert "e" * 64 in read_tombstones(world.small)
    with pytest.raises(ValueError, match="and a reason"):
        withdraw(world.store, world.small, world.root, ["e" * 64], "  ")


def test_purge_takes_the_bytes_off_the_disk_and_moves_pins_that_still_hold(
    world: StoredWorld,
) -> None:
    gone = not_kept_long(world)
    kept_long, _ = sorted(read_pins(world.small), key=lambda pin: pin.recipe != "kept_long")
    rows = pinned_rows(world.store, kept_long)
    reference = world.root / "checkpoints" / "all" / "seed-0" / REFERENCE
    other = world.root / "checkpoints" / "kept_long" / "seed-0" / REFERENCE
    for path in (reference, other):
        path.write_bytes(b"decoded pixels")
    needles = image_needles(world.store, [gone])
    done = purge(world.store, world.small, world.root, take_out(world, gone), needles)
    assert done.before and not done.after
    assert set(done.freed) == set(IMAGE_TABLES) and all(done.freed.values())
    assert (done.moved, done.lost) == (("kept_long",), ("all",))
    moved = next(pin for pin in read_pins(world.small) if pin.recipe == "kept_long")
    assert moved.versions["pairs"] == world.store.version("pairs") != kept_long.versions["pairs"]
    assert pinned_rows(world.store, moved).equals(rows)
    row = world.small.read("training_sets", {"recipe": "kept_long"}).to_dicts()[0]
    assert row["pairs_version"] == moved.versions["pairs"]
    assert (done.references, reference.exists(), other.exists()) == (("all|0",), False, True)
    traced = trace(world.sources, "clip_checkpoints[all|0]")
    assert traced.notes and traced.nodes[traced.subject].warning


def test_purge_after_an_earlier_withdrawal_finds_the_bytes_in_old_versions(
    world: StoredWorld,
) -> None:
    gone = world.images["s0"][2]
    take_out(world, gone)
    needles = image_needles(world.store, [gone])
    assert needles and files_with(world.root, needles)
    again = take_out(world, gone)  # nothing left to remove, yet the tables are known
    assert not purge(world.store, world.small, world.root, again, needles).after


def test_a_copy_that_is_not_ours_is_named_and_left(world: StoredWorld) -> None:
    gone = world.images["s0"][2]
    data = world.store.image_bytes([gone], "s0")[gone]
    copy = world.root / "export.bin"
    copy.write_bytes(b"head" + data + b"tail")
    needles = image_needles(world.store, [gone])
    done = purge(world.store, world.small, world.root, take_out(world, gone), needles)
    assert done.after == (copy,)
    assert copy.exists()


@examples(40)
@given(data=st.binary(min_size=600, max_size=900), head=st.integers(0, 5))
def test_needles_are_found_in_a_copy_and_in_base64_at_any_offset(data: bytes, head: int) -> None:
    needles = needles_of(data)
    assert all(needle in data for needle in needles[: len(needles) // 4])
    text = b64encode(b"x" * head + data + b"tail")
    assert sum(needle in text for needle in needles) >= len(needles) // 4


def test_what_other_images_have_too_is_not_searched_for() -> None:
    data = bytes(range(256)) * 3
    shared, own = data[:400], bytes(reversed(data))
    needles = needles_of(shared + own, [b"another " + shared])
    assert needles
    assert not any(needle in shared for needle in needles)
    assert needles_of(data, [data]) == [data]


def test_seed_image_takes_all_that_grew_out_of_the_seed(world: StoredWorld) -> None:
    store_problems(world.store, world.small)
    gone = image_id(SEED_IMAGES["p"])
    done = take_out(world, gone)
    assert done.removed == {
        "problems": 2,
        "verdicts": 4,
        "candidates": 2,
        "contexts": 2,
        "seeds": 1,
    }
    assert world.store.keys("candidates") == {key("q1")}
    assert world.store.keys("seeds") == {key("q")}
    assert done.named(ArtefactKind.DOMAIN) == ["counting"]
    assert done.named(ArtefactKind.R1_CHECKPOINT) == ["synthetic|0"]
    assert take_out(world, gone).artefacts == done.artefacts
    traced = trace(world.sources, "r1_checkpoints[synthetic|0]")
    assert "1 withdrawn image" in traced.nodes[traced.subject].warning


def test_drawn_image_takes_its_candidate_and_the_journal_forgets_it(world: StoredWorld) -> None:
    store_problems(world.store, world.small)
    path = world.root / "journals" / "counting.sqlite"
    with Journal(path) as journal:
        for name in ("p1", "p2"):
            drawing = Drawing(drawn(name), "image/png", "specification")
            asyncio.run(journal.put_drawing(name, drawing))
            judged = ChatReply("k", f"of {name}", None)
            asyncio.run(journal.put(f"judged {name}", judged, [image_id(drawn(name)), "plain"]))
    gone = image_id(drawn("p1"))
    needles = image_needles(world.store, [gone])
    done = take_out(world, gone)
    assert done.removed == {"problems": 1, "verdicts": 2, "candidates": 1}
    assert done.named(ArtefactKind.ROUND) == [f"counting|{ROUNDS[0]}"]
    purged = purge(world.store, world.small, world.root, done, needles, [path])
    assert path in purged.before and not purged.after
    assert purged.forgotten == (1, 1)
    assert not files_with(path.parent, [b"of p1"]) and files_with(path.parent, [b"of p2"])
    with Journal(path) as journal:
        assert journal.get("judged p1") is None
        assert journal.get("judged p2") is not None
        assert journal.get_drawing("p1") is None
        assert journal.get_drawing("p2") is not None


def test_manifests_are_pinned_anew_where_they_stand(world: StoredWorld) -> None:
    from rolesynth_assets.pairs.checks import manifest_matches_tables
    from rolesynth_assets.pairs.pair_manifest import manifest_rows

    where = {"role_set": ROLE_SET}
    world.small.replace("manifests", where, manifest_rows(world.store, ROLE_SET))
    stranger = world.add_shard("s9", range(50, 52))[0]  # not captioned, in no manifest
    needles = image_needles(world.store, [stranger])
    purge(world.store, world.small, world.root, take_out(world, stranger), needles)
    stored = world.small.read("manifests", where)
    assert manifest_matches_tables(stored, manifest_rows(world.store, ROLE_SET)).passed
    for version in stored["pairs_version"]:
        world.store.read("pairs", version=version)


def test_an_image_that_was_normalised_is_withdrawn_in_both_forms(world: StoredWorld) -> None:
    first = world.images["s0"][0]
    rows = world.store.read("images", {"shard": "s0"}, None, f"image_id = '{first}'")
    source = "c" * 64  # stands for the hash of a file that was stored as a PNG of its pixels
    world.store.append("images", {"shard": "s0"}, rows.set_column(0, "image_id", [[source]]))
    take_out(world, source)
    assert set(read_tombstones(world.small)) == {source, first}
    assert not world.store.count("images", where=f"image_id IN ('{source}', '{first}')")
