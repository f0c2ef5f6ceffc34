"""What answers of people say of the filter and of the judge, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.review.truth import Truth

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from rolesynth_assets.benchmarks.intervals.bootstrap import Interval

DRAWS = 20_000
"""Draws behind an interval; its ends then move by less than half a point."""
LEAST = 20
"""Answers of each kind (true and false) below which the judge is not measured."""
ENDS = (2.5, 97.5)


@dataclass(frozen=True)
class FilterMeasure:
    """The filter measured by people.

    Attributes:
        precision: share of the kept captions that are true.
        recall: share of the true captions that are kept.
        random_precision: share of true captions in a random cut, which is that of all captions.
        random_recall: share of the true captions in a random cut of the filter's size.
        answered: captions with an answer, by decision.
        unsure: captions without a clear answer, which count for nothing.
        to_halve: about how many more answers would halve the interval of the precision.
    """

    precision: Interval | None
    recall: Interval | None
    random_precision: Interval | None
    random_recall: float
    answered: Mapping[str, int]
    unsure: int
    to_halve: int


def measure_filter(
    labels: pl.DataFrame, sizes: Mapping[str, int], key: str = "caption_id"
) -> FilterMeasure:
    """Measure the filter's precision and recall from a stratified sample.

    The shares of true captions among kept and among dropped ones have Jeffreys posteriors,
    Beta(true + 1/2, false + 1/2). Recall and the random cut weigh them with the strata's sizes
    (Bayes' rule), and the intervals are quantiles of draws.

    Args:
        labels: id, ``truth`` and the present ``decision`` of each answer. Of several answers on a
            row the majority counts.
        sizes: number of rows by decision, "kept" and "dropped".
        key: column of the id.
    """
    import numpy as np

    votes = majority(labels, key)
    counts = {
        decision: tuple(
            sum(1 for d, truth in votes.values() if d == decision and truth is wanted)
            for wanted in (Truth.TRUE, Truth.FALSE)
        )
        for decision in ("kept", "dropped")
    }
    rng = np.random.default_rng(0)
    kept = posterior(rng, *counts["kept"])
    dropped = posterior(rng, *counts["dropped"])
    n_kept, n_dropped = sizes.get("kept", 0), sizes.get("dropped", 0)
    total = max(1, n_kept + n_dropped)
    precision = _interval(kept, _share(counts["kept"])) if sum(counts["kept"]) else None
    recall = everything = None
    if sum(counts["kept"]) and (sum(counts["dropped"]) or not n_dropped):
        true_kept, true_dropped = n_kept * kept, n_dropped * dropped
        at = n_kept * _share(counts["kept"]), n_dropped * _share(counts["dropped"])
        recall = _interval(true_kept / (true_kept + true_dropped), at[0] / max(sum(at), 1e-9))
        everything = _interval((true_kept + true_dropped) / total, sum(at) / total)
    return FilterMeasure(
        precision=precision,
        recall=recall,
        random_precision=everything,
        random_recall=n_kept / total,
        answered={decision: sum(found) for decision, found in counts.items()},
        unsure=sum(1 for _, truth in votes.values() if truth is Truth.UNSURE),
        to_halve=3 * 2 * sum(counts["kept"]),  # half the width needs four times the answers
    )


def cohens_kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Return the agreement of two reviewers beyond chance, -1 to 1 (Cohen 1960).

    Args:
        one: answers of the first reviewer.
        other: answers of the second one on the same captions.

    Returns:
        None if there is no answer, or if both gave one and the same answer throughout.
    """
    n = len(one)
    if not n:
        return None
    seen = sum(a == b for a, b in zip(one, other, strict=True)) / n
    chance = sum(list(one).count(a) * list(other).count(a) for a in {*one}) / n**2
    return None if chance == 1 else (seen - chance) / (1 - chance)


def agreements(
    labels: pl.DataFrame, key: str = "caption_id", said_in: str = "truth"
) -> list[tuple[str, str, int, float | None]]:
    """Return both names, how many rows both saw, and kappa, of each pair of reviewers.

    Args:
        labels: id, ``reviewer`` and answer.
        key: column of the id.
        said_in: column of the answer.
    """
    said: dict[str, dict[str, str]] = {}
    for row in labels.select("reviewer", key, said_in).iter_rows():
        said.setdefault(row[0], {})[row[1]] = row[2]
    found = []
    for one, other in combinations(sorted(said), 2):
        both = sorted(said[one].keys() & said[other].keys())
        if both:
            kappa = cohens_kappa([said[one][c] for c in both], [said[other][c] for c in both])
            found.append((one, other, len(both), kappa))
    return found


def judge_agrees_with_people(labels: pl.DataFrame, *, min_auc: float = 0.5) -> CheckOutcome:
    """Pass unless people show that the judge ranks captions worse than the bound.

    The value is the chance that of a true and a false caption the judge scores the true one higher
    (the area under the ROC curve; ties count half). The check fails if the upper end of its 95 %
    interval is below the bound.

    Args:
        labels: ``truth`` and ``score`` of the answers on a role set; answers without a score and
            unsure ones are left out.
        min_auc: the bound; 0.5 is a judge that guesses.
    """
    import numpy as np
    import polars as pl

    scored = labels.filter(pl.col("score").is_not_null())
    true, false = (
        scored.filter(pl.col("truth") == str(truth))["score"].to_numpy().astype(float)
        for truth in (Truth.TRUE, Truth.FALSE)
    )
    n = {"true": len(true), "false": len(false)}
    if min(n.values()) < LEAST:
        said = (
            f"People found {len(true)} captions true and {len(false)} not true; from {LEAST} of "
            "each on the judge is measured. `rolesynth browse` asks for more under Review."
        )
        return CheckOutcome(True, 0.0, None, said, dict(n))
    auc = _auc(true, false)
    rng = np.random.default_rng(0)
    draws = [_auc(rng.choice(true, len(true)), rng.choice(false, len(false))) for _ in range(1000)]
    low, high = np.percentile(draws, ENDS)
    return CheckOutcome(
        passed=bool(high >= min_auc),
        value=auc,
        threshold=min_auc,
        description=(
            f"Of a true and a false caption the judge scores the true one higher in {auc:.0%} of "
            f"the cases, 95 % interval {low:.0%} to {high:.0%} ({len(true)} true and {len(false)} "
            "false captions, by people)."
        ),
        metadata={"low": float(low), "high": float(high), **n},
    )


def references_true_by_people(
    labels: pl.DataFrame, problems: pl.DataFrame, *, min_share: float = 0.8
) -> CheckOutcome:
    """Pass unless people show that too few references of the set are right.

    The check fails if the upper end of the share's 95 % interval is below the bound.

    Args:
        labels: ``candidate_id``, ``decision`` and ``truth`` of the answers on the domain; of
            several answers on a problem the majority counts, and unsure ones for nothing.
        problems: ``problem_id`` and ``kept``; only answers on kept problems count.
        min_share: the bound.
    """
    import numpy as np
    import polars as pl

    in_set = problems.filter(pl.col("kept"))["problem_id"].implode()
    votes = majority(labels.filter(pl.col("candidate_id").is_in(in_set)), "candidate_id").values()
    true, false = (sum(truth is which for _, truth in votes) for which in (Truth.TRUE, Truth.FALSE))
    n: dict[str, object] = {"true": true, "false": false}
    if true + false < LEAST:
        said = (
            f"People judged {true + false} problems of the set; from {LEAST} on the set is "
            "measured. `rolesynth browse` asks for more under Review."
        )
        return CheckOutcome(True, 0.0, None, said, n)
    share = true / (true + false)
    low, high = np.percentile(posterior(np.random.default_rng(0), true, false), ENDS)
    return CheckOutcome(
        passed=bool(high >= min_share),
        value=share,
        threshold=min_share,
        description=(
            f"Of {true + false} problems of the set that people judged, {share:.0%} have a right "
            f"reference, 95 % interval {low:.0%} to {high:.0%}."
        ),
        metadata={"low": float(low), "high": float(high), **n},
    )


def majority(labels: pl.DataFrame, key: str = "caption_id") -> dict[str, tuple[str, Truth]]:
    """Return decision and the answer of most reviewers by id; a draw is unsure."""
    votes: dict[str, tuple[str, list[str]]] = {}
    for caption, decision, truth in labels.select(key, "decision", "truth").iter_rows():
        votes.setdefault(caption, (decision, []))[1].append(truth)
    found = {}
    for caption, (decision, said) in votes.items():
        lead = said.count(Truth.TRUE) - said.count(Truth.FALSE)
        truth = Truth.TRUE if lead > 0 else Truth.FALSE if lead < 0 else Truth.UNSURE
        found[caption] = decision, truth
    return found


def posterior(rng: np.random.Generator, true: int, false: int) -> np.ndarray:
    """Draw shares from the Jeffreys posterior of a count: `DRAWS` values in [0, 1]."""
    return rng.beta(true + 0.5, false + 0.5, DRAWS)


def _share(counts: tuple[int, ...]) -> float:
    return counts[0] / sum(counts) if sum(counts) else 0.0


def _interval(draws: np.ndarray, value: float) -> Interval:
    import numpy as np

    from rolesynth_assets.benchmarks.intervals.bootstrap import Interval

    low, high = np.percentile(draws, ENDS)
    return Interval(value, min(float(low), value), max(float(high), value))


def _auc(true: np.ndarray, false: np.ndarray) -> float:
    import numpy as np

    ordered = np.sort(false)
    below, upto = (np.searchsorted(ordered, true, side=side) for side in ("left", "right"))
    return float((below + (upto - below) / 2).mean() / len(false))
