"""What the catalogue shows of scores, of the cut and of the pairs that it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.pictures import markdown
from rolesynth_assets.pictures.charts import kept_share_by_role, score_histogram

if TYPE_CHECKING:
    from rolesynth_assets.pairs.coverage import Coverage
    from rolesynth_assets.pairs.cut import Cutoffs
    from rolesynth_assets.pairs.diversity import Diversity
    from rolesynth_assets.pairs.drop_ledger import PairLedger
    from rolesynth_assets.pairs.scoring import ScoreReport

_DIVERSITY = ("distinct_1", "distinct_2", "self_bleu", "mean_pairwise_similarity", "vendi_score")


def scoring_metadata(report: ScoreReport, scores: pl.DataFrame) -> dict[str, object]:
    """Return what a run of the judge did, and how the partition's scores are spread.

    Args:
        report: of the run.
        scores: ``role``, ``score`` of the partition.
    """
    given = scores.filter(pl.col("score").is_not_null()).sort("role")
    found: dict[str, object] = {
        "scored": given.height,
        "neutralised": report.neutralised,
        "recovered": report.recovered,
        "cached": report.current,
        "reread": report.reread,
        "failures": report.reasons,
        "seconds": report.seconds,
        **report.model,
    }
    if given.is_empty():
        return found
    by_role = {name: rows["score"].to_list() for (name,), rows in given.group_by("role")}
    return found | {
        "histogram": markdown.image(
            score_histogram(dict(sorted(by_role.items()))), "scores by role"
        ),
        "mean_score": float(given["score"].cast(pl.Float64).mean()),  # type: ignore[arg-type]
    }


def cut_metadata(cut: Cutoffs, rows: pl.DataFrame, coverage: Coverage) -> dict[str, object]:
    """Return what a cut keeps, by length kind, by role and by image.

    Args:
        cut: the cut.
        rows: its rows of the table ``cutoffs``.
        coverage: the images before and after the cut.
    """
    survivors: dict[str, dict[str, tuple[int, int]]] = {}
    for row in cut.roles:
        survivors.setdefault(row.role, {})[row.length] = (row.kept, row.candidates)
    kept = sum(c.kept + c.floor_kept for c in cut.cuts)
    candidates = sum(c.candidates for c in cut.cuts)
    shares = kept_share_by_role(survivors, cut.keep_share)
    return {
        "asked_share": cut.keep_share,
        "kept": kept,
        "kept_share": kept / max(1, candidates),
        "images": coverage.images,
        "images_covered": coverage.covered,
        "cuts": rows.select("length", "cutoff", "candidates", "unscored", "kept", "floor_kept"),
        "survivors": markdown.image(shares, "kept share by role"),
    }


def pairs_metadata(ledger: PairLedger, diversity: Diversity | None) -> dict[str, object]:
    """Return what became of a shard's captions, and how much they differ from each other."""
    found: dict[str, object] = {
        "kept": ledger.kept,
        "kept_share": ledger.kept / max(1, ledger.captions),
        "images": ledger.images,
        "dropped": ledger.dropped,
        "dropped_examples": ledger.examples.drop("caption_id"),
    }
    if diversity:
        found |= {name: getattr(diversity, name) for name in _DIVERSITY}
        found["diversity_images"] = diversity.n_images
    return found
