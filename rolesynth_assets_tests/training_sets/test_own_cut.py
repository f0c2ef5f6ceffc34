"""A recipe's own decision, against the role set's cut made on the rows that it leaves."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.pairs.cut import apply_cut, compute_cutoffs
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.training_sets.own_cut import DECIDED_BY, OwnCut, own_cut
from rolesynth_assets.training_sets.pins import (
    chosen_captions,
    first_pinned_rows,
    pin_training_set,
    pinned_rows,
)
from rolesynth_assets.training_sets.rows import selected_pairs
from rolesynth_assets.training_sets.select import EmptySelectionError
from rolesynth_assets_tests.property_profiles import examples

ROLES = ("Art", "Bee", "Cat")
POLICIES = [
    {"filter": {"per_image": 1}},
    {"filter": {"floor_per_image": 1}},
    {"filter": {"centred": True}},
    {"filter": {"keep": 0.5, "per_length": False}},
    {"without_roles": ["Bee"]},
    {"without_roles": ["Bee"], "filter": {"centred": True, "floor_per_image": 1}},
    {"without_roles": ["Bee"], "cut": "all"},
    {"without_roles": ["Art", "Cat"], "cut": "random"},
    {"filter": {"per_image": 1}, "cut": "random", "lengths": ["long"]},
]


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "mine",
            "description": "Mine.",
            "role_set": "r3",
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 2, "batch_images": 16},
            **changes,
        }
    )


def frame(scores: list[int | None], excluded: set[int] = frozenset()) -> pl.DataFrame:  # type: ignore[assignment]
    """Captions of all roles and lengths for image after image, until the scores end."""
    cells = [
        (f"i{image}", role, length)
        for image in range(len(scores))
        for role in ROLES
        for length in ("long", "short")
    ]
    rows = [
        {
            "caption_id": digest(*cell),
            "shard": f"s{int(cell[0][1:]) % 2}",
            "role_set": "r3",
            "image_id": cell[0],
            "role": cell[1],
            "length": cell[2],
            "text": " ".join(cell),
            "score": score,
            "kept": score is not None and score > 70,
            "reason": "excluded_by_reviewer" if place in excluded else None,
        }
        for place, (cell, score) in enumerate(zip(cells, scores, strict=False))
    ]
    return pl.DataFrame(rows, schema_overrides={"score": pl.Int32, "reason": pl.String})


scored = st.lists(st.one_of(st.none(), st.integers(1, 100)), min_size=6, max_size=60)


@examples(60)
@given(scores=scored, changes=st.sampled_from(POLICIES))
def test_it_is_the_cut_of_the_rows_that_are_left(scores, changes) -> None:
    mine, pairs = recipe(**changes), frame(scores)
    rest = pairs.filter(~pl.col("role").is_in(mine.without_roles))
    policy = mine.own_cut
    if policy is None or rest["score"].null_count() == rest.height:
        return
    decided = own_cut(pairs, mine)
    assert decided is not None
    left = rest["role"].n_unique()
    by_hand = apply_cut(rest.drop("kept"), rest, compute_cutoffs(rest, policy, left))
    kept = decided.decide(pairs).filter("kept")["caption_id"]
    assert set(kept) == set(by_hand.filter("kept")["caption_id"])
    assert OwnCut.from_json(decided.to_json()) == decided


def stored(folder: Path, pairs: pl.DataFrame) -> Store:
    store = Store(folder)
    for (shard,), rows in pairs.group_by("shard"):
        where = {"shard": str(shard), "role_set": "r3"}
        store.replace("pairs", where, rows.select(PAIRS.schema.names).to_arrow())
    return store


SCORES = [(37 * n * n + 11 * n) % 100 + 1 if n % 7 else None for n in range(60)]


@pytest.mark.parametrize("changes", POLICIES)
def test_a_pin_knows_the_rows_of_an_own_cut(tmp_path: Path, changes) -> None:
    pairs, mine = frame(SCORES, excluded={8, 20}), recipe(**changes)
    store = stored(tmp_path, pairs)
    version = store.version("pairs")
    chosen = selected_pairs(store, mine, version)
    assert not {pairs["caption_id"][8], pairs["caption_id"][20]} & set(chosen["caption_id"])
    assert not set(mine.without_roles) & set(chosen["role"])
    pin = pin_training_set(store, mine, chosen, "d", version, "run")
    assert pinned_rows(store, pin)["caption_id"].to_list() == chosen["caption_id"].to_list()
    for limit in (1, 4, 100):
        assert first_pinned_rows(store, pin, limit).equals(pinned_rows(store, pin).head(limit))
    for (image,), of_image in pairs.group_by("image_id"):
        told = chosen_captions(pin, of_image.select(DECIDED_BY).to_dicts())
        assert told == set(chosen.filter(pl.col("image_id") == image)["caption_id"])


def test_what_a_person_excluded_still_counts_for_the_cut(tmp_path: Path) -> None:
    best = max(range(len(SCORES)), key=lambda n: SCORES[n] or 0)
    both = [
        set(selected_pairs(store, mine, store.version("pairs"))["caption_id"])
        for store, mine in (
            (stored(tmp_path / "a", frame(SCORES)), recipe(filter={"keep": 0.3})),
            (stored(tmp_path / "b", frame(SCORES, {best})), recipe(filter={"keep": 0.3})),
        )
    ]
    assert both[0] - both[1] == {frame(SCORES)["caption_id"][best]}
    assert both[1] < both[0]


def test_faults_name_the_recipe_and_the_field() -> None:
    with pytest.raises(ValueError, match=r"'mine', field without_roles: 'Dog' wrote no caption"):
        own_cut(frame(SCORES), recipe(without_roles=["Dog"]))
    with pytest.raises(EmptySelectionError, match=r"none of the 6 captions .* has a score"):
        own_cut(frame([None] * 6), recipe(filter={"per_image": 1}))
    assert own_cut(frame(SCORES), recipe()) is None
