import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from rolesynth_assets.pairs.coverage import Coverage, images_covered
from rolesynth_assets.pairs.cut import (
    BOTH_LENGTHS,
    PairDropReason,
    apply_cut,
    compute_cutoffs,
)
from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets_tests.pairs.pair_frames import captions_of, policy, score_frame
from rolesynth_assets_tests.property_profiles import examples

score_rows = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2", "s3"]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["Art", "Zeal"]),
        st.sampled_from(["long", "short"]),
        st.one_of(st.none(), st.integers(1, 100), st.sampled_from([50, 51])),  # many ties
    ),
    min_size=1,
    max_size=60,
).filter(lambda rows: any(row[-1] is not None for row in rows))
policies = st.builds(
    FilterPolicy,
    keep=st.one_of(st.none(), st.floats(0.01, 1.0)),
    floor_per_image=st.just(0),
    per_length=st.booleans(),
)


def slow_kept(scores: pl.DataFrame, share: float, per_length: bool) -> set[tuple[str, str]]:
    """The cut by its definition: sort everything, keep the first."""
    kept: set[tuple[str, str]] = set()
    rows = [row for row in scores.iter_rows(named=True) if row["score"] is not None]
    for length in {row["length"] for row in rows} if per_length else {None}:
        group = [row for row in rows if length in (None, row["length"])]
        group.sort(key=lambda row: (-row["score"], row["caption_id"], row["shard"]))
        for row in group[: round(share * len(group))]:
            kept.add((row["shard"], row["caption_id"]))
    return kept


@examples(60)
@given(rows=score_rows, asked=policies, n_roles=st.integers(1, 6))
def test_cut_equals_its_definition_and_is_exact_over_shards(rows, asked, n_roles) -> None:
    scores = score_frame(rows)
    cutoffs = compute_cutoffs(scores, asked, n_roles)
    shards = [apply_cut(captions_of(part), part, cutoffs) for part in scores.partition_by("shard")]
    pairs = pl.concat(shards)
    kept = set(pairs.filter("kept").select("shard", "caption_id").iter_rows())
    assert kept == slow_kept(scores, asked.keep or 1 / n_roles, asked.per_length)
    assert sum(cut.kept for cut in cutoffs.cuts) == len(kept)
    assert sum(row.kept for row in cutoffs.roles) == len(kept)
    assert sum(cut.candidates + cut.unscored for cut in cutoffs.cuts) == len(rows)
    whole = apply_cut(captions_of(scores), scores, cutoffs)
    assert_frame_equal(pairs, whole, check_row_order=False)


@examples(60)
@given(rows=score_rows, asked=policies, floor=st.integers(0, 2))
def test_shard_by_shard_it_is_the_cut_of_all_rows(rows, asked, floor) -> None:
    scores = score_frame(rows)
    asked = asked.model_copy(update={"floor_per_image": floor})
    shards = scores.partition_by("shard")
    cutoffs = compute_cutoffs(scores, asked, 3)
    assert compute_cutoffs(shards, asked, 3) == cutoffs
    covered = images_covered(scores, cutoffs)
    assert images_covered(shards, cutoffs) == covered
    assert covered.images == scores.filter(pl.col("score").is_not_null())["image_id"].n_unique()
    assert images_covered([], cutoffs) == Coverage(0, 0)


@examples(30)
@given(rows=score_rows, asked=policies, floor=st.integers(1, 3))
def test_floor_adds_each_images_best_and_is_counted(rows, asked, floor) -> None:
    scores = score_frame(rows)
    bare = compute_cutoffs(scores, asked, 4)
    floored = compute_cutoffs(scores, asked.model_copy(update={"floor_per_image": floor}), 4)
    before = apply_cut(captions_of(scores), scores, bare).filter("kept")
    pairs = apply_cut(captions_of(scores), scores, floored)
    kept = pairs.filter("kept")
    assert set(before["caption_id"]) <= set(kept["caption_id"])
    assert kept.height == sum(cut.kept + cut.floor_kept for cut in floored.cuts)
    assert [cut.kept for cut in bare.cuts] == [cut.kept for cut in floored.cuts]
    for _, group in pairs.group_by("shard", "image_id", "length"):
        candidates = group.filter(pl.col("score").is_not_null())
        saved = group.filter("kept")
        assert saved.height >= min(floor, candidates.height)
        lost = candidates.filter(~pl.col("kept"))
        if lost.height and saved.height:
            assert lost["score"].max() <= saved["score"].min()  # type: ignore[operator]


def test_ties_never_change_the_number_kept() -> None:
    scores = score_frame([("s1", f"i{n}", "Art", "long", 70) for n in range(101)])
    cutoffs = compute_cutoffs(scores, policy(), 5)
    pairs = apply_cut(captions_of(scores), scores, cutoffs)
    assert (cutoffs.keep_share, cutoffs.cuts[0].kept, cutoffs.cuts[0].cutoff) == (0.2, 20, 70)
    assert sorted(pairs.filter("kept")["caption_id"]) == sorted(scores["caption_id"])[:20]


def test_a_caption_that_stands_in_two_shards_does_not_break_the_count() -> None:
    one = score_frame([("s1", f"i{n}", "Art", "long", 70) for n in range(5)])
    scores = pl.concat([one, one.with_columns(pl.lit("s2").alias("shard"))])
    cutoffs = compute_cutoffs(scores, policy(keep=0.5), 1)
    assert cutoffs.cuts[0].kept == 5
    assert apply_cut(captions_of(scores), scores, cutoffs)["kept"].sum() == 5


def test_each_length_kind_has_its_own_cut_unless_told_otherwise() -> None:
    rows = [("s1", f"i{n}", "Art", "long", 90) for n in range(10)]
    rows += [("s1", f"i{n}", "Art", "short", 30) for n in range(10)]
    scores = score_frame(rows)
    each = compute_cutoffs(scores, policy(keep=0.5), 1)
    assert {cut.length: (cut.kept, cut.cutoff) for cut in each.cuts} == {
        "long": (5, 90),
        "short": (5, 30),
    }
    both = compute_cutoffs(scores, policy(keep=0.5, per_length=False), 1)
    assert [(cut.length, cut.kept, cut.cutoff) for cut in both.cuts] == [(BOTH_LENGTHS, 10, 90)]
    pairs = apply_cut(captions_of(scores), scores, both)
    assert set(pairs.filter("kept")["length"]) == {"long"}


def test_captions_without_a_score_are_dropped_and_counted_but_never_ranked() -> None:
    scores = score_frame(
        [
            ("s1", "a", "Art", "long", 5),
            ("s1", "b", "Art", "long", None),
            ("s1", "c", "Art", "long", 1),
        ]
    )
    captions = captions_of(scores)
    cutoffs = compute_cutoffs(scores, policy(keep=1.0), 1)
    assert (cutoffs.cuts[0].candidates, cutoffs.cuts[0].unscored, cutoffs.cuts[0].kept) == (2, 1, 2)
    pairs = apply_cut(captions, scores.filter(pl.col("score") != 1), cutoffs)  # one row is missing
    assert dict(pairs.select("image_id", "reason").iter_rows()) == {
        "a": None,
        "b": PairDropReason.UNSCORED,
        "c": PairDropReason.UNSCORED,
    }


def test_captions_without_text_are_no_pairs() -> None:
    scores = score_frame([("s1", "a", "Art", "long", 5), ("s1", "b", "Art", "long", 6)])
    captions = captions_of(scores).with_columns(
        pl.when(pl.col("image_id") == "a").then(None).otherwise("text").alias("text")
    )
    pairs = apply_cut(captions, scores, compute_cutoffs(scores, policy(), 1))
    assert pairs["image_id"].to_list() == ["b"]


def test_a_share_too_small_for_one_caption_keeps_none() -> None:
    scores = score_frame([("s1", "a", "Art", "long", 99), ("s1", "b", "Art", "long", 98)])
    cutoffs = compute_cutoffs(scores, policy(keep=0.1), 1)
    assert (cutoffs.cuts[0].kept, cutoffs.cuts[0].cutoff) == (0, None)
    pairs = apply_cut(captions_of(scores), scores, cutoffs)
    assert pairs["reason"].to_list() == [PairDropReason.BELOW_CUT] * 2


def test_pairs_fit_the_table() -> None:
    from rolesynth_assets.store.lance.rows import checked_rows
    from rolesynth_assets.store.lance.schemas import PAIRS

    scores = score_frame([("s1", f"i{n}", "Art", "long", n + 1) for n in range(4)])
    cutoffs = compute_cutoffs(scores, policy(keep=0.5), 1)
    pairs = apply_cut(captions_of(scores), scores, cutoffs)
    rows = checked_rows(PAIRS, {"shard": "s1", "role_set": "roles"}, pairs.to_arrow())
    assert rows.num_rows == 4


def test_what_cannot_be_cut_is_an_error() -> None:
    scores = score_frame([("s1", "a", "Art", "long", 5)])
    with pytest.raises(ValueError, match="materialize caption_scores"):
        compute_cutoffs(scores.clear(), policy(), 5)
    with pytest.raises(ValueError, match="none of the 1 captions has a score"):
        compute_cutoffs(scores.with_columns(pl.lit(None, pl.Int32).alias("score")), policy(), 5)
    with pytest.raises(ValueError, match=r"lack the columns \['role'\]"):
        compute_cutoffs(scores.drop("role"), policy(), 5)
    with pytest.raises(ValueError, match="has two scores"):
        compute_cutoffs(pl.concat([scores, scores]), policy(), 5)
    cutoffs = compute_cutoffs(scores, policy(), 1)
    with pytest.raises(ValueError, match="has two scores"):
        apply_cut(captions_of(scores), pl.concat([scores, scores]), cutoffs)
    short = score_frame([("s1", "a", "Art", "short", 5)])
    with pytest.raises(ValueError, match=r"no cut for length kinds \['short'\]"):
        apply_cut(captions_of(short), short, cutoffs)


@examples(30)
@given(rows=score_rows, best=st.integers(1, 3), per_length=st.booleans())
def test_the_best_of_each_image_are_kept_and_every_image_remains(rows, best, per_length) -> None:
    scores = score_frame(rows)
    cutoffs = compute_cutoffs(scores, policy(per_image=best, per_length=per_length), 5)
    pairs = apply_cut(captions_of(scores), scores, cutoffs)
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in pairs.filter(pl.col("score").is_not_null()).iter_rows(named=True):
        groups.setdefault((row["shard"], row["image_id"], row["length"]), []).append(row)
    for group in groups.values():
        group.sort(key=lambda row: (-row["score"], row["caption_id"]))
        assert [row["kept"] for row in group] == [place < best for place in range(len(group))]
    coverage = images_covered(scores, cutoffs)
    assert coverage.covered == coverage.images > 0 and coverage.share == 1


def test_a_cut_over_all_images_can_leave_images_without_a_caption() -> None:
    scored = [9, 8, 7, 1, None]
    scores = score_frame(
        [("s", image, "Art", "long", scored[place]) for place, image in enumerate("aabbc")]
    )
    coverage = images_covered(scores, compute_cutoffs(scores, policy(keep=0.5), 1))
    assert coverage == Coverage(images=2, covered=1)  # c has no score
    floored = compute_cutoffs(scores, policy(keep=0.5, floor_per_image=1), 1)
    assert images_covered(scores, floored) == Coverage(images=2, covered=2)


@examples(40)
@given(rows=score_rows, keep=st.floats(0.01, 1.0), per_length=st.booleans())
def test_a_centred_cut_ranks_by_the_distance_from_the_mean_of_the_image(
    rows, keep, per_length
) -> None:
    scores = score_frame(rows)
    asked = policy(keep=keep, per_length=per_length, centred=True)
    cutoffs = compute_cutoffs(scores, asked, 2)
    assert compute_cutoffs(scores.partition_by("shard"), asked, 2) == cutoffs
    groups: dict[tuple, list[dict]] = {}
    for row in scores.filter(pl.col("score").is_not_null()).iter_rows(named=True):
        groups.setdefault((row["shard"], row["image_id"], row["length"]), []).append(row)
    ranked: dict[str, list[tuple]] = {}
    for group in groups.values():
        mean = sum(row["score"] for row in group) / len(group)
        for row in group:
            standing = round(100 * (row["score"] - mean))
            kind = row["length"] if per_length else BOTH_LENGTHS
            key = (-standing, row["caption_id"], row["shard"])
            ranked.setdefault(kind, []).append((*key, 100 * (row["score"] - mean)))
    kept = apply_cut(captions_of(scores), scores, cutoffs).filter("kept")
    expected = set()
    for found in ranked.values():
        if any(abs(abs(row[3] % 1) - 0.5) < 1e-6 for row in found):
            return  # halves are rounded to even by one and away from zero by the other
        for _, caption, shard, _ in sorted(found)[: round(keep * len(found))]:
            expected.add((caption, shard))
    assert set(kept.select("caption_id", "shard").iter_rows()) == expected


def test_a_centred_cut_keeps_captions_of_easy_and_of_hard_images() -> None:
    easy_hard = {"a": (90, 80), "b": (30, 10)}
    scores = score_frame(
        [("s", image, "Art", "long", score) for image, two in easy_hard.items() for score in two]
    )
    plain = compute_cutoffs(scores, policy(keep=0.5), 2)
    centred = compute_cutoffs(scores, policy(keep=0.5, centred=True), 2)
    assert images_covered(scores, plain).covered == 1
    assert images_covered(scores, centred).covered == 2
