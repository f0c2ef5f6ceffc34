"""The global proportional cut, which keeps a fixed share of a role set's best-scored captions.

The paper's filter is a proportion and not a threshold: it keeps 1 / number of roles (about 20 %),
so that there are as many pairs as with one caption per image. The judge's scale has only a hundred
values, so the cut falls among captions with the same score. It is therefore a position in a total
order (descending score, then caption id, which is a hash, then shard): each shard can apply it
alone, and the sum over shards is exact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import polars as pl

from rolesynth_assets.store import left_out

BOTH_LENGTHS = "all"
"""Length of a cut that holds for long and short captions together (`per_length: false`)."""

SCORE_COLUMNS = ("shard", "caption_id", "image_id", "role", "length", "score")
CAPTION_COLUMNS = ("shard", "role_set", "caption_id", "image_id", "role", "length", "text")


class PairDropReason(StrEnum):
    """Why a pair is not trained on."""

    BELOW_CUT = "below_cut"
    UNSCORED = "unscored"
    """The judge gave no score; such a row is never treated as a low score."""
    FORGOTTEN = left_out.FORGOTTEN
    """Its shard was forgotten, so it counts neither for the cut nor for a training set."""
    EXCLUDED = left_out.EXCLUDED
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

    @property
    def centred(self) -> bool:
        """Whether a score counts against the mean of its image and length kind."""
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
        cutoff: lowest standing above the cut; None if nothing is kept.
        last_id: caption id of the last kept caption among those of standing `cutoff`.
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
        centred: whether a standing is the hundredfold distance of a score from the mean of its
            image and length kind, and not the score itself.
    """

    keep_share: float
    floor_per_image: int
    cuts: tuple[LengthCut, ...]
    roles: tuple[RoleSurvival, ...]
    centred: bool = False


Scores = pl.DataFrame | Iterable[pl.DataFrame]
"""Rows of the ``scores`` table of all shards: in one frame, or in frames of whole shards, which are
read one after another and several times."""


def compute_cutoffs(scores: Scores, policy: CutPolicy, n_roles: int) -> Cutoffs:
    """Find the cut over all scores of a role set (paper, role-aware filter).

    Args:
        scores: ``shard``, ``caption_id``, ``image_id``, ``role``, ``length``, ``score`` (null where
            the judge gave none).
        policy: the role set's filter policy.
        n_roles: number of roles, for the default share.

    Raises:
        ValueError: a column is missing, there is no row, no row has a score, or a caption has two.
    """
    counts = _counts(scores, policy.centred)
    total = int(counts["len"].sum())
    if total == 0:
        raise ValueError("no scores to cut: materialize caption_scores for every shard first")
    if counts["standing"].null_count() == counts.height:
        raise ValueError(
            f"none of the {total} captions has a score: look at the reasons in "
            "caption_scores, fix the judge and materialize it again"
        )
    share = policy.share if policy.share is not None else 1 / n_roles
    lengths = sorted(counts["length"].unique()) if policy.per_length else [BOTH_LENGTHS]
    levels = [_level(counts, length, share) for length in lengths]
    cuts = _cuts(scores, levels, policy.centred)
    survivors = _survivors(scores, cuts, policy.floor, policy.centred)
    by_length = survivors.group_by("length").agg(pl.col("floor_kept").sum())
    floors = dict(by_length.iter_rows()) if policy.per_length else {}
    floors[BOTH_LENGTHS] = int(by_length["floor_kept"].sum())
    return Cutoffs(
        keep_share=share,
        floor_per_image=policy.floor,
        cuts=tuple(replace(cut, floor_kept=floors[cut.length]) for cut in cuts),
        roles=tuple(
            RoleSurvival(**row) for row in survivors.drop("floor_kept").iter_rows(named=True)
        ),
        centred=policy.centred,
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
    marked = mark_kept(pairs, cutoffs.cuts, cutoffs.floor_per_image, cutoffs.centred)
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


def mark_kept(
    rows: pl.DataFrame, cuts: Sequence[LengthCut], floor_per_image: int, centred: bool = False
) -> pl.DataFrame:
    """Add ``above`` (at or above the cut) and ``kept`` (above, or among an image's best n).

    An image's captions of one length kind are all in one shard, so that neither the floor nor the
    mean of an image needs another shard.

    Args:
        rows: captions with their scores, all those of each image.
        cuts: positions of the cut.
        floor_per_image: number of best captions that are kept whatever the cut is.
        centred: whether the positions are standings against the image's mean.
    """
    above = pl.lit(False)
    for cut in cuts:
        if cut.cutoff is None:
            continue
        tied = (pl.col("caption_id") < cut.last_id) | (
            (pl.col("caption_id") == cut.last_id) & (pl.col("shard") <= cut.last_shard)
        )
        reached = (pl.col("standing") > cut.cutoff) | ((pl.col("standing") == cut.cutoff) & tied)
        applies = pl.lit(True) if cut.length == BOTH_LENGTHS else pl.col("length") == cut.length
        above = above | (applies & reached)
    marked = _standing(rows, centred).with_columns(above.fill_null(False).alias("above"))
    marked = marked.drop("standing")
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


def _standing(rows: pl.DataFrame, centred: bool) -> pl.DataFrame:
    """Add ``standing``, an integer by which captions are compared; null without a score."""
    score = pl.col("score").cast(pl.Float64)
    if centred:
        score = 100 * (score - score.mean().over("shard", "image_id", "length"))
    return rows.with_columns(score.round().cast(pl.Int64).alias("standing"))


@dataclass(frozen=True)
class _Level:
    """Where a cut falls: among the captions with one standing, and how many of these it keeps."""

    length: str
    candidates: int
    unscored: int
    kept: int
    cutoff: int | None
    of_ties: int


def frames_of(rows: pl.DataFrame | Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
    """Return rows that come in one frame or in several as frames."""
    return [rows] if isinstance(rows, pl.DataFrame) else rows


def _counts(scores: Scores, centred: bool) -> pl.DataFrame:
    """Count the captions by length and standing; each shard's have to be in one frame."""
    counts = [pl.DataFrame(schema={"length": pl.String, "standing": pl.Int64, "len": pl.Int64})]
    for frame in frames_of(scores):
        _require(frame, SCORE_COLUMNS, "scores")
        _require_one_score(frame)
        of_frame = _standing(frame, centred).group_by("length", "standing").len()
        counts.append(of_frame.with_columns(pl.col("len").cast(pl.Int64)))
    return pl.concat(counts).group_by("length", "standing").agg(pl.col("len").sum())


def _level(counts: pl.DataFrame, length: str, share: float) -> _Level:
    """Find the standing at which the cut of a length kind falls."""
    rows = counts if length == BOTH_LENGTHS else counts.filter(pl.col("length") == length)
    summed = rows.group_by("standing").agg(pl.col("len").sum()).sort("standing", descending=True)
    scored = summed.filter(pl.col("standing").is_not_null())
    candidates = int(scored["len"].sum())
    keep = round(share * candidates)
    cutoff, of_ties = None, 0
    if keep:
        reached = scored.with_columns(pl.col("len").cum_sum().alias("at_least"))
        cutoff, ties, at_least = reached.filter(pl.col("at_least") >= keep).row(0)
        of_ties = keep - (at_least - ties)
    unscored = int(rows["len"].sum()) - candidates
    return _Level(length, candidates, unscored, keep, cutoff, of_ties)


def _cuts(scores: Scores, levels: Sequence[_Level], centred: bool) -> tuple[LengthCut, ...]:
    """Find the last kept caption of each length kind among those with its standing."""
    tied: list[list[pl.DataFrame]] = [[] for _ in levels]
    for frame in frames_of(scores):
        ranked = _standing(frame, centred)
        for level, found in zip(levels, tied, strict=True):
            if level.cutoff is None:
                continue
            at_cut = ranked.filter(pl.col("standing") == level.cutoff)
            if level.length != BOTH_LENGTHS:
                at_cut = at_cut.filter(pl.col("length") == level.length)
            found.append(at_cut.select("caption_id", "shard"))
    cuts = []
    for level, found in zip(levels, tied, strict=True):
        last_id, last_shard = "", ""
        if level.of_ties:
            ordered = pl.concat(found).sort("caption_id", "shard")
            last_id, last_shard = ordered.row(level.of_ties - 1)
        cuts.append(
            LengthCut(
                length=level.length,
                candidates=level.candidates,
                unscored=level.unscored,
                kept=level.kept,
                floor_kept=0,
                cutoff=level.cutoff,
                last_id=last_id,
                last_shard=last_shard,
            )
        )
    return tuple(cuts)


def _survivors(
    scores: Scores, cuts: Sequence[LengthCut], floor: int, centred: bool
) -> pl.DataFrame:
    """Count by role and length: candidates, kept, and kept for the floor alone."""
    parts = []
    for frame in frames_of(scores):
        marked = mark_kept(frame, cuts, floor, centred)
        parts.append(
            marked.group_by("role", "length").agg(
                pl.col("score").is_not_null().sum().cast(pl.Int64).alias("candidates"),
                pl.col("kept").sum().cast(pl.Int64),
                (pl.col("kept") & ~pl.col("above")).sum().cast(pl.Int64).alias("floor_kept"),
            )
        )
    return pl.concat(parts).group_by("role", "length").agg(pl.all().sum()).sort("role", "length")


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
