"""Data-quality checks of the scores, the cut and the kept pairs."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.mllm.rows.asked_again import reasons_in_words, way_out

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.pairs.coverage import Coverage
    from rolesynth_assets.pairs.cut import Cutoffs
    from rolesynth_assets.pairs.diversity import Diversity

EXAMPLES = 5
MATCHED_COLUMNS = ("shard", "caption_id", "image_id", "length", "score", "reason")
"""Columns of the pairs that `pairs_match_cutoffs` reads."""
SHOWN_OF_ANSWER = 120
"""Characters of a judge's answer that a description shows."""


def scores_cover_captions(
    captions: pl.DataFrame, scores: pl.DataFrame, *, max_uncovered: int = 0
) -> CheckOutcome:
    """Pass when every caption with text has a row in the scores table, with a score or a reason.

    Args:
        captions: ``caption_id``, ``text`` of one partition.
        scores: ``caption_id``, ``score``, ``reason`` of the same partition.
        max_uncovered: captions that may lack a row.
    """
    import polars as pl

    spoken = captions.filter(pl.col("text").is_not_null())
    answered = scores.filter(pl.col("score").is_not_null() | pl.col("reason").is_not_null())
    bare = spoken.join(answered, on="caption_id", how="anti")
    return CheckOutcome(
        passed=(spoken.height > 0 or (captions.is_empty() and scores.is_empty()))
        and bare.height <= max_uncovered,
        value=bare.height,
        threshold=max_uncovered,
        description=(
            f"{bare.height} of {spoken.height} captions have neither score nor reason."
            if spoken.height
            else f"none of {captions.height} captions has a text: see the reasons of raw_captions."
        ),
        metadata={
            "captions": spoken.height,
            "examples": bare["caption_id"].head(EXAMPLES).to_list(),
        },
    )


def scores_not_degenerate(
    scores: pl.DataFrame, *, max_share: float = 0.9, min_std: float = 1.0, fewest: int = 6
) -> CheckOutcome:
    """Pass when the judge distinguishes captions: no score dominates, and the scores vary.

    The check also fails when there is no score at all. Fewer than `fewest` scores may be equal
    by chance and pass: two or three captions of one picture often have the same score.

    Args:
        scores: ``score``, null where the judge gave none; ``reason``, ``detail``.
        max_share: bound on the share of the most frequent score; the check's value.
        min_std: bound on the standard deviation, in points of the scale; given in the metadata.
        fewest: scores from which on they are compared.
    """
    import polars as pl

    given = scores["score"].drop_nulls()
    if scores.is_empty():
        return CheckOutcome(True, 0.0, max_share, "There is no caption to score.", {"scores": 0})
    if given.is_empty():
        return CheckOutcome(False, 1.0, max_share, _no_score(scores), {"scores": 0})
    if len(given) < fewest:
        said = f"{len(given)} scores are too few to show whether the judge distinguishes captions."
        return CheckOutcome(True, 0.0, max_share, said, {"scores": len(given)})
    top = given.value_counts(sort=True).row(0)
    share, std = top[1] / len(given), float(given.cast(pl.Float64).std(ddof=0) or 0.0)  # type: ignore[arg-type]
    return CheckOutcome(
        passed=share <= max_share and std >= min_std,
        value=share,
        threshold=max_share,
        description=(
            f"{share:.0%} of {len(given)} scores are {top[0]}; the standard deviation is "
            f"{std:.1f}. Once the judge is mended, `rolesynth run --role-set NAME --again "
            f"same_score` asks for the scores of {top[0]} again."
        ),
        metadata={"scores": len(given), "top_score": top[0], "std": std, "min_std": min_std},
    )


def _no_score(scores: pl.DataFrame) -> str:
    import polars as pl

    reason, count = scores["reason"].value_counts(sort=True).row(0)
    answer = scores.filter(pl.col("reason") == reason)["detail"][0]
    shown = textwrap.shorten(answer, SHOWN_OF_ANSWER, placeholder=" ...")
    return (
        f"No caption has a score: {count} of {scores.height} are {reason}, such as {shown!r}. The "
        "judge has to begin with a number from 1 to 100: set another judge (ROLESYNTH_JUDGE_ENGINE "
        "and the related settings), or fix this one and change its ROLESYNTH_REVISION, so that the "
        "captions are judged again."
    )


def parse_failures_bounded(scores: pl.DataFrame, *, max_share: float = 0.02) -> CheckOutcome:
    """Pass when few captions have no score, for any reason.

    Args:
        scores: ``score``, ``reason`` of one partition; a failure also names examples and the way
            out by ``detail`` and ``role_set``.
        max_share: bound on the share of rows without a score.
    """
    import polars as pl

    failed = scores.filter(pl.col("score").is_null())
    share = failed.height / scores.height if scores.height else 0.0
    reasons = failed.group_by("reason").len().sort("len", descending=True)
    counts = dict(reasons.iter_rows())
    passed = share <= max_share
    description = f"{failed.height} of {scores.height} captions were judged without a score"
    if counts and not passed:
        shown = [name for name in ("reason", "detail") if name in failed.columns]
        examples = dict(failed.select(shown).unique("reason").iter_rows()) if shown[1:] else {}
        role_set = scores["role_set"][0] if "role_set" in scores.columns else "ROLE_SET"
        description += f": {reasons_in_words(counts, examples)}. {way_out(counts, role_set)}"
    return CheckOutcome(
        passed=passed,
        value=share,
        threshold=max_share,
        description=f"{description.rstrip('.')}.",
        metadata={"reasons": counts},
    )


def kept_share_as_asked(cutoffs: Cutoffs, *, tolerance: float = 0.005) -> CheckOutcome:
    """Pass when the cut keeps the requested share of every length kind.

    Rows that only the floor per image keeps are not part of the share; the metadata counts them. A
    difference of half a caption is always tolerated, since counts are whole numbers.

    Args:
        cutoffs: the cut of a role set.
        tolerance: bound on |kept / candidates - share|.
    """
    off = {
        cut.length: abs(cut.kept / cut.candidates - cutoffs.keep_share) if cut.candidates else 1.0
        for cut in cutoffs.cuts
    }
    passed = all(
        off[cut.length] <= max(tolerance, 0.5 / max(cut.candidates, 1)) for cut in cutoffs.cuts
    )
    worst = max(off.values(), default=1.0)
    return CheckOutcome(
        passed=passed and bool(off),
        value=worst,
        threshold=tolerance,
        description=(
            f"Kept shares differ by at most {worst:.2%} from the requested "
            f"{cutoffs.keep_share:.1%}."
        ),
        metadata={
            "keep_share": cutoffs.keep_share,
            "kept": {cut.length: cut.kept for cut in cutoffs.cuts},
            "kept_by_floor": {cut.length: cut.floor_kept for cut in cutoffs.cuts},
            "candidates": {cut.length: cut.candidates for cut in cutoffs.cuts},
        },
    )


def no_role_wiped_out(cutoffs: Cutoffs, *, min_share: float = 0.02) -> CheckOutcome:
    """Pass when every role keeps some captions: a global cut can remove all of a narrative role.

    Args:
        cutoffs: the cut of a role set.
        min_share: bound on kept / candidates of the worst role, over both length kinds.
    """
    kept: dict[str, int] = {}
    candidates: dict[str, int] = {}
    for row in cutoffs.roles:
        kept[row.role] = kept.get(row.role, 0) + row.kept
        candidates[row.role] = candidates.get(row.role, 0) + row.candidates
    shares = {role: kept[role] / candidates[role] if candidates[role] else 0.0 for role in kept}
    if not shares:
        return CheckOutcome(False, 0.0, min_share, "The cut has no role.", {})
    worst = min(shares, key=lambda role: shares[role])
    return CheckOutcome(
        passed=shares[worst] >= min_share,
        value=shares[worst],
        threshold=min_share,
        description=f"{worst!r} keeps the fewest: {kept[worst]} of {candidates[worst]} captions.",
        metadata={"kept_share_by_role": shares},
    )


def images_remain(coverage: Coverage, *, min_share: float = 0.5) -> CheckOutcome:
    """Pass when the cut keeps a caption of enough images.

    Args:
        coverage: the images before and after the cut of a role set.
        min_share: bound on the share of images with a kept caption.
    """
    return CheckOutcome(
        passed=coverage.share >= min_share,
        value=coverage.share,
        threshold=min_share,
        description=(
            f"{coverage.covered:,} of {coverage.images:,} images have a kept caption. "
            "`filter.floor_per_image` or `filter.per_image` of the role set keeps captions of all."
        ),
        metadata={"images": coverage.images, "images_covered": coverage.covered},
    )


def diversity_not_collapsed(
    diversity: Diversity | None, *, max_similarity: float = 0.95
) -> CheckOutcome:
    """Pass when the captions of an image differ in meaning.

    Args:
        diversity: measured on a role set's captions; None if no image has two captions of one
            length kind, which passes, as there is nothing to compare.
        max_similarity: bound on the mean pairwise similarity, which, unlike the Vendi score, does
            not depend on the number of captions.
    """
    if diversity is None:
        return CheckOutcome(
            True, 0.0, max_similarity, "Each image has one caption of a length kind.", {}
        )
    value = diversity.mean_pairwise_similarity
    return CheckOutcome(
        passed=value <= max_similarity,
        value=value,
        threshold=max_similarity,
        description=f"Captions of one image have a mean similarity of {value:.2f} "
        f"({diversity.n_images} images, Vendi score {diversity.vendi_score:.2f}).",
        metadata=asdict(diversity),
    )


def pairs_match_cutoffs(
    manifest: pl.DataFrame, excluded: Iterable[pl.DataFrame], cutoffs: Cutoffs
) -> CheckOutcome:
    """Pass when all shards together keep exactly as many pairs as the cut and its floor say.

    Those that a person excluded are missing from them.

    Args:
        manifest: ``kept`` and ``candidates`` of all shards of a role set.
        excluded: `MATCHED_COLUMNS` of the shards in which a caption is excluded, one frame each.
        cutoffs: the cut of the role set.
    """
    import polars as pl

    from rolesynth_assets.pairs.cut import PairDropReason, mark_kept

    by_cut = sum(cut.kept + cut.floor_kept for cut in cutoffs.cuts)
    found, less = int(manifest["kept"].sum()), 0
    by_hand = pl.col("reason") == PairDropReason.EXCLUDED.value
    for frame in excluded:
        marked = mark_kept(frame, cutoffs.cuts, cutoffs.floor_per_image, cutoffs.centred)
        less += marked.filter(pl.col("kept") & by_hand).height
    expected = by_cut - less
    said = f", less {less} excluded by hand" if less else ""
    return CheckOutcome(
        passed=found == expected,
        value=found,
        threshold=expected,
        description=f"{found} pairs are kept over all shards; the cut says {by_cut}{said}.",
        metadata={
            "expected": expected,
            "pairs": int(manifest["candidates"].sum()),
            "excluded": less,
        },
    )


def manifest_matches_tables(
    stored: pl.DataFrame, tables: pl.DataFrame, selected_shards: Collection[str] = ()
) -> CheckOutcome:
    """Check that a manifest agrees with the tables and with what is trained on.

    Args:
        stored: rows of ``manifests`` that were read for a training set.
        tables: `manifest_rows` of the same role set, made afresh.
        selected_shards: shards of the pairs of the training set; the manifest lists all of them.
    """
    columns = ["shard", "pairs_digest", "kept", "candidates", "images"]
    shown = set(stored.select(columns).iter_rows())
    found = set(tables.select(columns).iter_rows())
    unlisted = set(selected_shards) - set(stored["shard"])
    shards = sorted({row[0] for row in shown ^ found} | unlisted)
    everywhere = {row[0] for row in shown | found} | unlisted
    return CheckOutcome(
        passed=not shards,
        value=len(shards),
        threshold=0,
        description=f"{len(shards)} of {len(everywhere)} shards differ from the manifest.",
        metadata={"shards": shards[:20]},
    )
