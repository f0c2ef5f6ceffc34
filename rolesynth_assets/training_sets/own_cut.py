"""The decision of a recipe that leaves roles out or makes a cut of its own.

The captions and their scores are those of the recipe's role set: no model is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rolesynth_assets.store.left_out import FORGOTTEN, REASONS
from rolesynth_assets.training_sets.select import EmptySelectionError
from rolesynth_assets.training_sets.shards_left_out import outside

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.clip.recipe import Recipe
    from rolesynth_assets.pairs.cut import Cutoffs
    from rolesynth_assets.store.lance.reader import StoreReader

DECIDED_BY = ("shard", "caption_id", "image_id", "role", "length", "score", "kept", "reason")
"""Columns of ``pairs`` that the decision reads."""


@dataclass(frozen=True)
class OwnCut:
    """A recipe's own decision on the pairs of its role set.

    Attributes:
        without_roles: roles whose captions are left out.
        cutoffs: the recipe's own cut; None if the role set's decision holds.
    """

    without_roles: tuple[str, ...]
    cutoffs: Cutoffs | None

    @property
    def needs_whole_images(self) -> bool:
        """Whether the decision on a caption depends on the other captions of its image."""
        return self.cutoffs is not None and (
            self.cutoffs.centred or self.cutoffs.floor_per_image > 0
        )

    def describe(self) -> str:
        """Say in a few words which captions are left out and what is kept of the others."""
        said = [f"without {' and '.join(self.without_roles)}"] if self.without_roles else []
        if cut := self.cutoffs:
            if cut.keep_share:
                share = f"{cut.keep_share:.0%} of the captions"
                said.append(f"{share}, each against its image's mean" if cut.centred else share)
            if cut.floor_per_image:
                said.append(f"the best {cut.floor_per_image} of each image and length kind")
        return "; ".join(said)

    def decide(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return the pairs of the remaining roles, with the recipe's own ``kept``.

        Args:
            pairs: at least `DECIDED_BY`; all captions of each image.
        """
        import polars as pl

        from rolesynth_assets.pairs.cut import mark_kept

        rest = _candidates(pairs, self.without_roles)
        if self.cutoffs is None:
            return rest
        cut = self.cutoffs
        marked = mark_kept(rest.drop("kept"), cut.cuts, cut.floor_per_image, cut.centred)
        by_hand = pl.col("reason").is_in(REASONS).fill_null(False)
        return marked.with_columns(pl.col("kept") & ~by_hand).select(pairs.columns)

    def decide_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return rows of ``pairs`` as `decide` does; other columns stay as they are."""
        import polars as pl

        if not rows:
            return []
        named = [{column: row[column] for column in DECIDED_BY} for row in rows]
        frame = pl.DataFrame(named, schema_overrides={"score": pl.Int32, "reason": pl.String})
        kept = {
            (row["shard"], row["caption_id"]): row["kept"]
            for row in self.decide(frame).iter_rows(named=True)
        }
        keys = [(row["shard"], row["caption_id"]) for row in rows]
        return [{**r, "kept": kept[k]} for r, k in zip(rows, keys, strict=True) if k in kept]

    def to_json(self) -> str:
        """Return the decision as text; `from_json` reads it back."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> OwnCut:
        """Read what `to_json` wrote."""
        from rolesynth_assets.pairs.cut import Cutoffs, LengthCut, RoleSurvival

        read = json.loads(text)
        cut = read["cutoffs"]
        if cut is not None:
            cut["cuts"] = tuple(LengthCut(**one) for one in cut["cuts"])
            cut["roles"] = tuple(RoleSurvival(**one) for one in cut["roles"])
        return OwnCut(tuple(read["without_roles"]), Cutoffs(**cut) if cut is not None else None)


def read_own_cut(
    store: StoreReader, recipe: Recipe, version: int, left_out: Sequence[str] = ()
) -> OwnCut | None:
    """Return the `own_cut` of a recipe at a Lance version of ``pairs``.

    Args:
        store: holds the pairs.
        recipe: the recipe.
        version: the Lance version of ``pairs``.
        left_out: shards whose pairs do not count.

    Raises:
        ValueError: the recipe leaves nothing to cut.
        MissingVersionError: the version was purged.
    """
    import polars as pl

    if recipe.own_cut is None and not recipe.without_roles:
        return None
    where = {"role_set": recipe.role_set}
    rows = store.read("pairs", where, DECIDED_BY, outside(left_out), version)
    return own_cut(pl.DataFrame(rows), recipe)


def own_cut(pairs: pl.DataFrame, recipe: Recipe) -> OwnCut | None:
    """Find a recipe's own decision; None if it takes its role set's pairs as they are.

    Args:
        pairs: all pairs of the role set, at least `DECIDED_BY`. Those that a person excluded count
            for the cut, as they do in the role set's; those of forgotten shards do not.
        recipe: its ``without_roles``, ``filter`` and ``cut`` are used.

    Raises:
        ValueError: a role that is left out has no caption.
        EmptySelectionError: no caption is left that has a score.
    """
    from rolesynth_assets.pairs.cut import compute_cutoffs

    policy = recipe.own_cut
    if policy is None and not recipe.without_roles:
        return None
    roles = set(pairs["role"].unique())
    if unknown := sorted(set(recipe.without_roles) - roles):
        raise ValueError(
            f"Recipe {recipe.name!r}, field without_roles: {', '.join(map(repr, unknown))} wrote "
            f"no caption of role set {recipe.role_set!r}; its roles are {sorted(roles)}."
        )
    if policy is None:
        return OwnCut(recipe.without_roles, None)
    candidates = _candidates(pairs, recipe.without_roles)
    if candidates.is_empty() or candidates["score"].null_count() == candidates.height:
        raise EmptySelectionError(
            f"Recipe {recipe.name!r}: none of the {candidates.height} captions of role set "
            f"{recipe.role_set!r} that are left has a score, so that there is nothing to cut."
        )
    left = len(roles) - len(recipe.without_roles)
    return OwnCut(recipe.without_roles, compute_cutoffs(candidates, policy, left))


def _candidates(pairs: pl.DataFrame, without_roles: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    live = pl.col("reason").is_null() | (pl.col("reason") != FORGOTTEN)
    return pairs.filter(live & ~pl.col("role").is_in(list(without_roles)))
