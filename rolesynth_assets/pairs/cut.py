"""The global proportional cut, which keeps a fixed share of a role set's best-scored captions.

The paper's filter is a proportion and not a threshold: it keeps 1 / number of roles (about 20 %),
so that there are as many pairs as with one caption per image. The judge's scale has only a hundred
values, so the cut falls among captions with the same score. It is therefore a position in a total
order (descending score, then caption id, which is a hash, then shard): each shard can apply it
alone, and the sum over shards is exact.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import polars as pl

from rolesynth_assets.store.lance import schemas

BOTH_LENGTHS = "all"
"""Length of a cut that holds for long and short captions together (`per_length: false`)."""

SCORE_COLUMNS = ("shard", "caption_id", "image_id", "role", "length", "score")
CAPTION_COLUMNS = ("shard", "role_set", "caption_id", "image_id", "role", "length", "text")


class PairDropReason(StrEnum):
    """Why a pair is not trained on."""

    BELOW_CUT = "below_cut"
    UNSCORED = "unscored"
    """The judge gave no score; such a row is never treated as a low score."""
    FORGOTTEN = schemas.FORGOTTEN
    """Its shard was forgotten, so it counts neither for the cut nor for a training set."""
    EXCLUDED = schemas.EXCLUDED
    """A person excluded it, whatever its score; it still counts for the cut."""


class CutPolicy(Protocol):
    """The fields of a role set's filter policy that decide the cut."""

    @property
    def share(self) -> float | None:
        """Share of scored captions to keep; None means 1 / number of roles."""
        ...

    @property
    def floor(self) -> int:
        """Number of captions per image and length kind that are kept even below the cut."""
        ...

    @property
    def per_length(self) -> bool:
        """One cut for each length kind, or one for both together."""
        ...


@dataclass(frozen=True)
class LengthCut:
    """The cut of one length kind: the position of the last caption that is kept.

    Attributes:
        length: "long", "short", or "all".
        candidates: captions with a score.
        unscored: captions for which the judge gave no score; they are not candidates.
        kept: captions at or above the cut, exactly round(share x candidates).
        floor_kept: captions kept in addition, by the floor per image.
        cutoff: lowest score above the cut; None if nothing is kept.
        last_id: caption id of the last kept caption among those of score `cutoff`.
        last_shard: its shard; the same caption may be in two shards.
    """

    length: str
    candidates: int
    unscored: int
    kept: int
    floor_kept: int
    cutoff: int | None
    last_id: str
    last_shard: str


@dataclass(frozen=True)
class RoleSurvival:
    """One role's candidates and kept captions of one length kind; `kept` includes the floor's."""

    role: str
    length: str
    candidates: int
    kept: int


@dataclass(frozen=True)
class Cutoffs:
    """The cut of a role set, over all of its shards.

    Attributes:
        keep_share: the share asked for, of captions with a score.
        floor_per_image: number of best captions per image and length kind that are kept whatever
            their score.
        cuts: one per length kind.
        roles: kept captions by role and length kind.
    """

    keep_share: float
    floor_per_image: int
    cuts: tuple[LengthCut, ...]
    roles: tuple[RoleSurvival, ...]


def compute_cutoffs(scores: pl.DataFrame, policy: CutPolicy, n_roles: int) -> Cutoffs:
    """Find the cut over all scores of a role set (paper, role-aware filter).

    Args:
        scores: rows of the ``scores`` table, all shards: ``shard``, ``caption_id``, ``image_id``,
            ``role``, ``length``, ``score`` (null where the judge gave none).
        policy: the role set's filter policy.
        n_roles: number of roles, for the default share.

    Raises:
        ValueError: a column is missing, there is no row, no row has a score, or a caption has two.
    """
    _require(scores, SCORE_COLUMNS, "scores")
    _require_one_score(scores)
    if scores.height == 0:
        raise ValueError("no scores to cut: materialize caption_scores for every shard first")
    if scores["score"].null_count() == scores.height:
        raise ValueError(
            f"none of the {scores.height} captions has a score: look at the reasons in "
            "caption_scores, fix the judge and materialize it again"
        )
    share = policy.share if policy.share is not None else 1 / n_roles
    lengths = sorted(scores["length"].unique()) if policy.per_length else [BOTH_LENGTHS]
    cuts = tuple(_cut(scores, length, share) for length in lengths)
    marked = mark_kept(scores, cuts, policy.floor)
    by_length = marked.group_by("length").agg(
        (pl.col("kept") & ~pl.col("above")).sum().alias("floor_kept")
    )
    floors = dict(by_length.iter_rows()) if policy.per_length else {}
    floors[BOTH_LENGTHS] = int(by_length["floor_kept"].sum())
    return Cutoffs(
        keep_share=share,
        floor_per_image=policy.floor,
        cuts=tuple(replace(cut, floor_kept=floors[cut.length]) for cut in cuts),
        roles=_survivors(marked),
    )


def apply_cut(
    captions: pl.DataFrame,
    scores: pl.DataFrame,
    cutoffs: Cutoffs,
    excluded: Collection[str] = (),
) -> pl.DataFrame:
    """Decide for every caption with text whether it is kept for training.

    The shards may be any subset of the role set's shards.

    Args:
        captions: rows of the ``captions`` table: ``shard``, ``role_set``, ``caption_id``,
            ``image_id``, ``role``, ``length``, ``text``.
        scores: rows of the ``scores`` table of the same shards. A caption without a row, or whose
            row has no score, is dropped as unscored.
        cutoffs: the cut of the role set.
        excluded: ids of captions that a person excluded. They leave their place in the cut empty,
            so that no other caption's decision changes.

    Returns:
        Rows of the ``pairs`` table: the caption columns, ``score``, ``kept``, ``reason``.

    Raises:
        ValueError: a column is missing, a caption has two scores, or a length kind has no cut.
    """
    _require(captions, CAPTION_COLUMNS, "captions")
    _require(scores, ("shard", "caption_id", "score"), "scores")
    spoken = captions.select(CAPTION_COLUMNS).filter(pl.col("text").is_not_null())
    judged = scores.select("shard", "caption_id", "score")
    _require_one_score(judged)
    pairs = spoken.join(judged, on=["shard", "caption_id"], how="left")
    known = {cut.length for cut in cutoffs.cuts}
    uncut = set(pairs.filter(pl.col("score").is_not_null())["length"].unique()) - known
    if uncut and BOTH_LENGTHS not in known:
        raise ValueError(
            f"no cut for length kinds {sorted(uncut)}: the cut was made before these captions "
            "were scored; materialize filter_cutoffs again"
        )
    marked = mark_kept(pairs, cutoffs.cuts, cutoffs.floor_per_image)
    by_hand = pl.col("caption_id").is_in(list(excluded))
    marked = marked.with_columns(pl.col("kept") & by_hand.not_())
    reason = (
        pl.when(by_hand)
        .then(pl.lit(PairDropReason.EXCLUDED.value))
        .when("kept")
        .then(pl.lit(None, dtype=pl.String))
        .when(pl.col("score").is_null())
        .then(pl.lit(PairDropReason.UNSCORED.value))
        .otherwise(pl.lit(PairDropReason.BELOW_CUT.value))
    )
    return marked.with_columns(pl.col("score").cast(pl.Int32), reason.alias("reason")).select(
        *CAPTION_COLUMNS, "score", "kept", "reason"
    )


@dataclass(frozen=True)
class Coverage:
    """Which images of a role set remain after the cut.

    Attributes:
        images: images with a scored caption.
        covered: the images among them with a kept caption.
    """

    images: int
    covered: int

    @property
    def share(self) -> float:
        """Share of the images that remain; 1 if there is none."""
        return self.covered / self.images if self.images else 1.0


def images_covered(scores: pl.DataFrame, cutoffs: Cutoffs) -> Coverage:
    """Count the images of which the cut keeps a caption.

    Scores differ more between images than within one, so a cut over all captions also selects
    images: the easy ones.

    Args:
        scores: as for `compute_cutoffs`.
        cutoffs: the cut made from them.
    """
    marked = mark_kept(
        scores.filter(pl.col("score").is_not_null()), cutoffs.cuts, cutoffs.floor_per_image
    )
    return Coverage(marked["image_id"].n_unique(), marked.filter("kept")["image_id"].n_unique())


def mark_kept(rows: pl.DataFrame, cuts: Sequence[LengthCut], floor_per_image: int) -> pl.DataFrame:
    """Add ``above`` (at or above the cut) and ``kept`` (above, or among an image's best n).

    An image's captions of one length kind are all in one shard, so the floor needs no other shard.
    """
    above = pl.lit(False)
    for cut in cuts:
        if cut.cutoff is None:
            continue
        tied = (pl.col("caption_id") < cut.last_id) | (
            (pl.col("caption_id") == cut.last_id) & (pl.col("shard") <= cut.last_shard)
        )
        reached = (pl.col("score") > cut.cutoff) | ((pl.col("score") == cut.cutoff) & tied)
        applies = pl.lit(True) if cut.length == BOTH_LENGTHS else pl.col("length") == cut.length
        above = above | (applies & reached)
    marked = rows.with_columns(above.fill_null(False).alias("above"))
    if floor_per_image == 0:
        return marked.with_columns(pl.col("above").alias("kept"))
    best = (
        rows.filter(pl.col("score").is_not_null())
        .sort("score", "caption_id", descending=[True, False])
        .group_by("shard", "image_id", "length", maintain_order=True)
        .head(floor_per_image)
        .select("shard", "caption_id", pl.lit(True).alias("best"))
    )
    return (
        marked.join(best, on=["shard", "caption_id"], how="left", maintain_order="left")
        .with_columns((pl.col("above") | pl.col("best").fill_null(False)).alias("kept"))
        .drop("best")
    )


def _cut(scores: pl.DataFrame, length: str, share: float) -> LengthCut:
    """Find the last kept caption of a length kind: count by score, then sort the ties."""
    rows = scores if length == BOTH_LENGTHS else scores.filter(pl.col("length") == length)
    scored = rows.filter(pl.col("score").is_not_null())
    keep = round(share * scored.height)
    cutoff, last_id, last_shard = None, "", ""
    if keep:
        counts = scored.group_by("score").len().sort("score", descending=True)
        counts = counts.with_columns(pl.col("len").cum_sum().alias("at_least"))
        cutoff, ties, at_least = counts.filter(pl.col("at_least") >= keep).row(0)
        tied = scored.filter(pl.col("score") == cutoff).select("caption_id", "shard")
        last = keep - (at_least - ties) - 1
        last_id, last_shard = tied.sort("caption_id", "shard").row(last)
    return LengthCut(
        length=length,
        candidates=scored.height,
        unscored=rows.height - scored.height,
        kept=keep,
        floor_kept=0,
        cutoff=cutoff,
        last_id=last_id,
        last_shard=last_shard,
    )


def _survivors(marked: pl.DataFrame) -> tuple[RoleSurvival, ...]:
    by_role = (
        marked.group_by("role", "length")
        .agg(pl.col("score").is_not_null().sum().alias("candidates"), pl.col("kept").sum())
        .sort("role", "length")
    )
    return tuple(RoleSurvival(**row) for row in by_role.iter_rows(named=True))


def _require(frame: pl.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} lack the columns {missing}; they have {frame.columns}")


def _require_one_score(scores: pl.DataFrame) -> None:
    twice = scores.select("shard", "caption_id").is_duplicated()
    if twice.any():
        row = scores.filter(twice).row(0, named=True)
        raise ValueError(
            f"caption {row['caption_id']} of shard {row['shard']!r} has two scores: the scores "
            "table has rows of an earlier judge; materialize caption_scores for this shard "
            "again, which removes them"
        )
