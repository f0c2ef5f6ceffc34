"""Answers and exclusions as rows: written, taken back, traced and withdrawn."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.errors import InputError
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.lineage.withdraw.withdrawal import withdraw
from rolesynth_assets.pairs.checks import MATCHED_COLUMNS, pairs_match_cutoffs
from rolesynth_assets.pairs.cut import Cutoffs, apply_cut
from rolesynth_assets.pairs.cut_rows import read_cut
from rolesynth_assets.review.exclusions import (
    decide,
    excluded,
    exclusion_digests,
    exclusions_of,
)
from rolesynth_assets.review.judged import judged_labels
from rolesynth_assets.review.labels import Subject, read_labels, remove_label, write_label
from rolesynth_assets.review.sample import next_place, review_order
from rolesynth_assets.review.truth import Truth
from rolesynth_assets.training_sets.pins import trained_on
from rolesynth_assets.training_sets.rows import selected_pairs
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld, recipe

WHERE = {"shard": "s0", "role_set": ROLE_SET}


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    made = StoredWorld(tmp_path)
    made.add_shard("s0", range(8))
    made.caption()
    return made


def subject(world: StoredWorld, number: int = 0) -> Subject:
    row = world.store.read("pairs", WHERE).sort_by("caption_id").to_pylist()[number]
    decision = "kept" if row["kept"] else "dropped"
    return Subject(row["caption_id"], row["image_id"], "s0", ROLE_SET, decision)


def cut_anew(world: StoredWorld, cut: Cutoffs) -> pl.DataFrame:
    captions, scores = (pl.DataFrame(world.store.read(t, WHERE)) for t in ("captions", "scores"))
    return apply_cut(captions, scores, cut, excluded(world.store, WHERE))


def matched(pairs: pl.DataFrame, cut: Cutoffs) -> CheckOutcome:
    counts = pairs.select(pl.col("kept").sum(), pl.len().alias("candidates"))
    return pairs_match_cutoffs(counts, [pairs.select(MATCHED_COLUMNS)], cut)


def test_an_answer_replaces_the_same_persons_earlier_one(world: StoredWorld) -> None:
    one = subject(world)
    write_label(world.store, one, "Ada", Truth.TRUE, True)
    write_label(world.store, one, " Ada ", Truth.FALSE, None)
    write_label(world.store, one, "Bob", Truth.TRUE, False)
    rows = read_labels(world.store, ROLE_SET).sort("reviewer").to_dicts()
    assert [(r["reviewer"], r["truth"], r["fits"]) for r in rows] == [
        ("Ada", "false", None),
        ("Bob", "true", False),
    ]
    assert remove_label(world.store, one.caption_id, "Ada") == 1
    assert read_labels(world.store, ROLE_SET).height == 1
    score = world.store.read("scores", None, ["score"], f"caption_id = '{one.caption_id}'")
    assert judged_labels(world.store, ROLE_SET)["score"].to_list() == score["score"].to_pylist()


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_reviewer_has_a_name(world: StoredWorld, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        write_label(world.store, subject(world), name, Truth.TRUE, None)
    with pytest.raises(InputError, match="name"):
        decide(world.store, subject(world).caption_id, excluded=True, reviewer=name)


def test_answers_and_exclusions_are_traced_and_go_with_their_image(world: StoredWorld) -> None:
    one = subject(world)
    write_label(world.store, one, "Ada", Truth.TRUE, True)
    decide(world.store, one.caption_id, excluded=True, reviewer="Ada", note="a  cat")
    found = trace(world.sources, f"caption:{one.caption_id}")
    kinds = {str(node.id.kind) for node in found.effects(found.subject)}
    assert {"human_label", "exclusion"} <= kinds
    withdraw(world.store, world.small, world.root, [one.image_id], "licence")
    assert world.store.count("human_labels") == world.store.count("exclusions") == 0


def test_an_exclusion_drops_its_caption_and_no_other(world: StoredWorld) -> None:
    before = {r["caption_id"]: r for r in world.store.read("pairs", WHERE).to_pylist()}
    kept = next(key for key, row in before.items() if row["kept"])
    dropped = next(key for key, row in before.items() if not row["kept"])
    for key in (kept, dropped):
        assert decide(world.store, key, excluded=True, reviewer="Ada") == [f"s0|{ROLE_SET}"]
    cut = read_cut(world.small, ROLE_SET)
    after = cut_anew(world, cut)
    changed = {
        r["caption_id"] for r in after.to_dicts() if r["kept"] != before[r["caption_id"]]["kept"]
    }
    assert changed == {kept}
    reasons = {r["caption_id"]: r["reason"] for r in after.to_dicts()}
    assert reasons[kept] == reasons[dropped] == "excluded_by_reviewer"
    outcome = matched(after, cut)
    assert outcome.passed
    assert outcome.metadata["excluded"] == 1
    assert "1 excluded by hand" in outcome.description
    once_more = after.with_columns(
        kept=pl.col("kept") & (pl.col("caption_id") != after.filter("kept")["caption_id"][0])
    )
    assert not matched(once_more, cut).passed


@pytest.mark.parametrize("cut", ["scores", "random", "all"])
def test_no_cut_trains_on_an_excluded_caption(world: StoredWorld, cut: str) -> None:
    every = {r["caption_id"] for r in world.store.read("pairs", WHERE).to_pylist()}
    gone = sorted(every)[: len(every) // 2]
    for key in gone:
        decide(world.store, key, excluded=True, reviewer="Ada")
    pairs = cut_anew(world, read_cut(world.small, ROLE_SET))
    world.store.replace("pairs", WHERE, pairs.to_arrow())
    more: dict[str, object] = {"draw_seed": 0} if cut == "random" else {}
    chosen = recipe("mine", cut=cut, **more)
    trained = set(selected_pairs(world.store, chosen, world.store.version("pairs"))["caption_id"])
    assert trained.isdisjoint(gone)
    pin = world.train(chosen, "w" * 64)
    for key in every:
        rows = world.store.read("pairs", None, None, f"caption_id = '{key}'").to_pylist()
        assert trained_on(pin, rows) is (key in trained)


def test_what_was_taken_back_changes_the_digest_once_more(world: StoredWorld) -> None:
    here = (lambda: {"s0"}), {ROLE_SET}
    assert exclusion_digests(world.store, *here) == {}
    key, digests = subject(world).caption_id, []
    for wanted in (True, False, True):
        decide(world.store, key, excluded=wanted, reviewer="Ada", note="x")
        digests.append(exclusion_digests(world.store, *here)[f"s0|{ROLE_SET}"])
        assert excluded(world.store, WHERE) == ({key} if wanted else set())
        assert set(exclusions_of(world.store, [key])) == ({key} if wanted else set())
    assert digests[0] == digests[2] != digests[1]
    assert exclusion_digests(world.store, lambda: {"s1"}, {ROLE_SET}) == {}  # s0 was forgotten
    with pytest.raises(KeyError, match="no caption"):
        decide(world.store, "0" * 64, excluded=True, reviewer="Ada")


def test_strata_alternate_in_one_order_for_all() -> None:
    frame = pl.DataFrame(
        {
            "caption_id": [f"{n:03d}" for n in range(40)],
            "decision": ["kept"] * 10 + ["dropped"] * 28 + ["failed", "open"],
        }
    )
    order = review_order(frame)
    assert Counter(order).most_common(1)[0][1] == 1
    assert len(order) == 38
    decisions = [frame["decision"][at] for at in order]
    assert decisions[:20] == ["kept", "dropped"] * 10
    assert order != sorted(order)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    ids = [frame["caption_id"][at] for at in order]
    assert [shuffled["caption_id"][at] for at in review_order(shuffled)] == ids
    assert next_place(frame, order, ids[:5]) == order[5]
    assert next_place(frame, order, ids) is None


@pytest.mark.parametrize("table", ["human_labels", "exclusions"])
def test_what_is_said_during_a_withdrawal_is_not_kept(
    world: StoredWorld, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    one, append = subject(world), world.store.append

    def late(*args: Any) -> None:
        """The withdrawal ends between the reviewer's look and the write."""
        withdraw(world.store, world.small, world.root, [one.image_id], "licence")
        append(*args)

    monkeypatch.setattr(world.store, "append", late)
    with pytest.raises(InputError, match="withdrawn"):
        if table == "human_labels":
            write_label(world.store, one, "Ada", Truth.TRUE, True)
        else:
            decide(world.store, one.caption_id, excluded=True, reviewer="Ada")
    assert world.store.count(table) == 0
