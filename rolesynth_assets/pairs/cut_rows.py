"""Conversion of a role set's cut to rows of the small tables, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.pairs.coverage import Coverage
from rolesynth_assets.pairs.cut import Cutoffs, LengthCut, RoleSurvival

if TYPE_CHECKING:
    from rolesynth_assets.store.small.tables import SmallTables

_CUT_SCHEMA = {
    "role_set": pl.String,
    "length": pl.String,
    "keep_share": pl.Float64,
    "floor_per_image": pl.Int32,
    "centred": pl.Boolean,
    "cutoff": pl.Int32,
    "last_id": pl.String,
    "last_shard": pl.String,
    "candidates": pl.Int64,
    "unscored": pl.Int64,
    "kept": pl.Int64,
    "floor_kept": pl.Int64,
    "images": pl.Int64,
    "images_covered": pl.Int64,
    "scores_digest": pl.String,
}
_ROLE_SCHEMA = {
    "role_set": pl.String,
    "role": pl.String,
    "length": pl.String,
    "candidates": pl.Int64,
    "kept": pl.Int64,
}


def cut_rows(
    cutoffs: Cutoffs, role_set: str, scores_digest: str, coverage: Coverage | None = None
) -> pl.DataFrame:
    """Return the rows of the small table ``cutoffs``, one per length kind.

    Args:
        cutoffs: the cut.
        role_set: role set of the cut.
        scores_digest: digest of all scores from which the cut was made.
        coverage: the images of the role set before and after the cut.
    """
    rows = [
        {
            "role_set": role_set,
            "keep_share": cutoffs.keep_share,
            "floor_per_image": cutoffs.floor_per_image,
            "centred": cutoffs.centred,
            "scores_digest": scores_digest,
            "images": coverage.images if coverage else None,
            "images_covered": coverage.covered if coverage else None,
            **asdict(cut),
        }
        for cut in cutoffs.cuts
    ]
    return pl.DataFrame(rows, schema=_CUT_SCHEMA)


def survivor_rows(cutoffs: Cutoffs, role_set: str) -> pl.DataFrame:
    """Return the rows of the small table ``cutoff_roles``, one per role and length kind."""
    rows = [{"role_set": role_set, **asdict(row)} for row in cutoffs.roles]
    return pl.DataFrame(rows, schema=_ROLE_SCHEMA)


def cutoffs_from_rows(cuts: pl.DataFrame, survivors: pl.DataFrame) -> Cutoffs:
    """Build the cut from the rows that `cut_rows` and `survivor_rows` made.

    Raises:
        ValueError: there is no row, or the rows belong to more than one cut.
    """
    if cuts.height == 0:
        raise ValueError("no cut in the small tables: materialize filter_cutoffs for this role set")
    shared = cuts.select("role_set", "keep_share", "floor_per_image", "scores_digest").unique()
    if shared.height != 1:
        raise ValueError(
            f"rows of {shared.height} cuts ({shared['role_set'].unique().to_list()}): "
            "read one role set, or materialize its filter_cutoffs again"
        )
    columns = list(LengthCut.__dataclass_fields__)
    names = list(RoleSurvival.__dataclass_fields__)
    return Cutoffs(
        keep_share=shared["keep_share"][0],
        floor_per_image=shared["floor_per_image"][0],
        cuts=tuple(
            LengthCut(**row) for row in cuts.select(columns).sort("length").iter_rows(named=True)
        ),
        roles=tuple(
            RoleSurvival(**row)
            for row in survivors.select(names).sort("role", "length").iter_rows(named=True)
        ),
        centred=bool(cuts["centred"][0]),  # null in rows of earlier versions
    )


def write_cut(
    small: SmallTables,
    cutoffs: Cutoffs,
    role_set: str,
    scores_digest: str,
    coverage: Coverage | None = None,
) -> pl.DataFrame:
    """Replace a role set's cut in the small tables; return its rows of the table ``cutoffs``.

    Args:
        small: holds ``cutoffs`` and ``cutoff_roles``.
        cutoffs: the cut.
        role_set: role set that it is for.
        scores_digest: digest of all scores that it was made from.
        coverage: the images of the role set before and after the cut.
    """
    rows = cut_rows(cutoffs, role_set, scores_digest, coverage)
    small.replace("cutoffs", {"role_set": role_set}, rows)
    small.replace("cutoff_roles", {"role_set": role_set}, survivor_rows(cutoffs, role_set))
    return rows


def read_cut(small: SmallTables, role_set: str) -> Cutoffs:
    """Return a role set's cut, as `write_cut` stored it.

    Raises:
        ValueError: there is none.
    """
    where = {"role_set": role_set}
    return cutoffs_from_rows(small.read("cutoffs", where), small.read("cutoff_roles", where))
