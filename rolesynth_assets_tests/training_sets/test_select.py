import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.training_sets.select import EmptySelectionError, select_rows
from rolesynth_assets_tests.property_profiles import examples


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "mine",
            "description": "Mine.",
            "role_set": "roles5",
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 2, "batch_images": 16},
            **changes,
        }
    )


def pairs(rows) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"caption_id": c, "shard": s, "length": n, "score": x, "kept": k, "text": f"text {c}"}
            for c, s, n, x, k in rows
        ],
        schema={
            "caption_id": pl.String,
            "shard": pl.String,
            "length": pl.String,
            "score": pl.Int32,
            "kept": pl.Boolean,
            "text": pl.String,
        },
    )


ROWS = [(f"L{i:02d}", "s0", "long", 100 - i, i < 3) for i in range(20)]
ROWS += [(f"S{i:02d}", "s1", "short", 100 - i, i < 5) for i in range(20)]
ROWS += [("S99", "s1", "short", None, False)]  # its score could not be parsed
TABLE = pairs(ROWS)


def ids(frame):
    return frame["caption_id"].to_list()


def test_the_three_cuts():
    assert ids(select_rows(TABLE, recipe())) == [
        *(f"L{i:02d}" for i in range(3)),
        *(f"S{i:02d}" for i in range(5)),
    ]
    assert ids(select_rows(TABLE, recipe(cut="all"))) == sorted(r[0] for r in ROWS)
    drawn = select_rows(TABLE, recipe(cut="random"))
    counts = dict(drawn.group_by("length").len().iter_rows())
    assert counts == {"long": 3, "short": 5}
    assert drawn.columns == TABLE.columns


def test_lengths_are_selected_first():
    only = select_rows(TABLE, recipe(cut="random", lengths=["short"]))
    assert only["length"].unique().to_list() == ["short"]
    assert only.height == 5


def test_the_draw_depends_on_its_seed_and_not_on_the_row_order():
    first = ids(select_rows(TABLE, recipe(cut="random")))
    assert ids(select_rows(TABLE.reverse(), recipe(cut="random"))) == first
    others = [ids(select_rows(TABLE, recipe(cut="random", draw_seed=s))) for s in range(1, 6)]
    assert all(other != first for other in others)


def test_every_scored_candidate_can_be_drawn_and_no_other():
    drawn = [ids(select_rows(TABLE, recipe(cut="random", draw_seed=s))) for s in range(60)]
    assert {i for one in drawn for i in one} == {r[0] for r in ROWS} - {"S99"}


def test_the_kept_rows_do_not_lead_the_draw():
    flipped = pairs([(c, s, n, x, (not k) and int(c[1:]) > 14) for c, s, n, x, k in ROWS if x])
    same_quota = flipped.filter("kept").height
    assert select_rows(flipped, recipe(cut="random")).height == same_quota


def test_a_caption_in_two_shards_counts_once_and_is_kept_if_either_keeps_it():
    twice = pairs([*ROWS, ("L19", "s7", "long", 81, True), ("L00", "s7", "long", 100, False)])
    chosen = select_rows(twice, recipe(lengths=["long"]))
    assert ids(chosen) == ["L00", "L01", "L02", "L19"]


@examples(50)
@given(
    kept=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40),
    seed=st.integers(0, 50),
)
def test_the_random_cut_is_as_large_as_the_filters(kept, seed):
    table = pairs(
        [(f"c{i}", "s", "long" if a else "short", 50, b) for i, (a, b) in enumerate(kept)]
    )
    if not any(b for _, b in kept):
        return
    filtered = select_rows(table, recipe())
    drawn = select_rows(table, recipe(cut="random", draw_seed=seed))
    assert (
        filtered["length"]
        .value_counts(sort=True, name="n")
        .sort("length")
        .equals(drawn["length"].value_counts(sort=True, name="n").sort("length"))
    )


def test_nothing_left_is_an_error():
    none = TABLE.with_columns(pl.lit(False).alias("kept"))
    for cut in ("scores", "random"):
        with pytest.raises(EmptySelectionError, match="'mine' selects no caption: of 41 pairs"):
            select_rows(none, recipe(cut=cut))
    with pytest.raises(EmptySelectionError, match="of 0 pairs"):
        select_rows(TABLE.clear(), recipe(cut="all"))
