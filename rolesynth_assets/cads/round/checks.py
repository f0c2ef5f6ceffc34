"""Data-quality checks of one round of a domain, on rows of candidates, verdicts and contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.cads.collective.collective import MOST_ROUNDS
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.check_outcome import CheckOutcome

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5
MAX_LEAKED = 0
MAX_DUPLICATES = 0.1
MAX_STRATEGY_SHARE = 0.7
MAX_UNDECIDED = 0.02
FEWEST_TO_COLLAPSE = 8
"""N of one seed in the paper."""


def exactly_k_verdicts(candidates: pl.DataFrame, verdicts: pl.DataFrame) -> CheckOutcome:
    """Pass when every decided candidate has exactly K verdicts, and C counts the correct ones.

    The value counts two kinds of candidates: decided ones with another number of verdicts, two
    verdicts of one judge, a verdict without a result, a C that is not the number of correct
    verdicts, or a decision that does not follow from C; and other candidates that have a C.

    Args:
        candidates: ``candidate_id``, ``decision``, ``judges``, ``consensus``.
        verdicts: ``candidate_id``, ``judge``, ``with_image``, ``correct``.
    """
    import polars as pl

    counts = (
        verdicts.filter("with_image")
        .group_by("candidate_id")
        .agg(
            pl.col("judge").n_unique().alias("voices"),
            pl.len().alias("verdicts"),
            pl.col("correct").is_not_null().sum().alias("results"),
            pl.col("correct").sum().alias("correct"),
        )
    )
    held = candidates.join(counts, on="candidate_id", how="left").with_columns(
        pl.col("voices", "verdicts", "results", "correct").fill_null(0)
    )
    right = (
        (pl.col("verdicts") == pl.col("judges"))
        & (pl.col("voices") == pl.col("judges"))
        & (pl.col("results") == pl.col("judges"))
        & (pl.col("consensus") == pl.col("correct"))
        & ((pl.col("decision") == Decision.KEPT.value) == (pl.col("correct") > 0))
    ).fill_null(False)
    decided = _decided()
    wrong = held.filter((decided & ~right) | (~decided & pl.col("consensus").is_not_null()))
    return _none_of(wrong, held, "candidates are decided by other than exactly K verdicts")


def hard_pool(candidates: pl.DataFrame) -> CheckOutcome:
    """Pass when the hard pool holds exactly the kept candidates with 1 <= C < K.

    Args:
        candidates: ``candidate_id``, ``decision``, ``judges``, ``consensus``, ``hard``.
    """
    import polars as pl

    belongs = (
        (pl.col("decision") == Decision.KEPT.value)
        & (pl.col("consensus") >= 1)
        & (pl.col("consensus") < pl.col("judges"))
    ).fill_null(False)
    wrong = candidates.filter(pl.col("hard") != belongs)
    return _none_of(wrong, candidates, "candidates are wrongly in or out of the hard pool")


def no_answer_leaked(candidates: pl.DataFrame, *, max_leaked: int = MAX_LEAKED) -> CheckOutcome:
    """Pass when no drawing instruction gives its problem's answer away; see `answer_leaks.leak`.

    Args:
        candidates: ``candidate_id``, ``visual_prompt``, ``question``, ``answer``.
        max_leaked: number of instructions that may give it away.
    """
    from rolesynth_assets.cads.drawing.answer_leaks import leak

    drawn = candidates.drop_nulls(["visual_prompt", "question", "answer"])
    columns = ("candidate_id", "visual_prompt", "question", "answer")
    found = {
        key: str(how)
        for key, prompt, question, answer in drawn.select(columns).iter_rows()
        if (how := leak(prompt, question, answer))
    }
    return CheckOutcome(
        passed=len(found) <= max_leaked,
        value=len(found),
        threshold=max_leaked,
        description=f"{len(found)} of {drawn.height} drawing instructions give the answer away.",
        metadata={"examples": dict(list(found.items())[:EXAMPLES])},
    )


def at_most_ten_rounds(contexts: pl.DataFrame, *, max_rounds: int = MOST_ROUNDS) -> CheckOutcome:
    """No seed went through more rounds than allowed.

    The check fails if there is no row: every seed has a context row in every round.

    Args:
        contexts: ``seed_id``, ``round_number``.
        max_rounds: rounds that are allowed; ten in the paper.
    """
    import polars as pl

    highest = contexts["round_number"].max()
    highest = highest if isinstance(highest, int) else 0
    over = contexts.filter(pl.col("round_number") > max_rounds)
    return CheckOutcome(
        passed=contexts.height > 0 and over.is_empty(),
        value=highest,
        threshold=max_rounds,
        description=f"{contexts.height} seeds have been through {highest} rounds at most; "
        f"{over.height} through more than {max_rounds}.",
        metadata={"examples": over["seed_id"].head(EXAMPLES).to_list()},
    )


def duplicates_bounded(
    candidates: pl.DataFrame, *, max_share: float = MAX_DUPLICATES
) -> CheckOutcome:
    """Pass when few kept candidates repeat an earlier one.

    Args:
        candidates: ``candidate_id``, ``decision``, ``duplicate_of``.
        max_share: bound on the share of duplicates among kept candidates.
    """
    import polars as pl

    kept = candidates.filter(pl.col("decision") == Decision.KEPT.value)
    copies = kept.drop_nulls("duplicate_of")
    return _share(copies, kept, max_share, "kept candidates repeat another")


def undecided_bounded(
    candidates: pl.DataFrame, *, max_share: float = MAX_UNDECIDED
) -> CheckOutcome:
    """Pass when few candidates wait for a verdict that failed.

    Args:
        candidates: ``candidate_id``, ``decision``, ``detail``.
        max_share: bound on the share of undecided ones among candidates that could be judged.
    """
    import polars as pl

    judged = candidates.filter(pl.col("decision") != Decision.FAILED.value)
    waiting = judged.filter(pl.col("decision") == Decision.UNDECIDED.value)
    return _share(waiting, judged, max_share, "candidates wait for a missing verdict")


def strategies_not_collapsed(
    candidates: pl.DataFrame,
    *,
    max_share: float = MAX_STRATEGY_SHARE,
    fewest: int = FEWEST_TO_COLLAPSE,
) -> CheckOutcome:
    """Pass when the writers do not all follow one strategy.

    With fewer than `fewest` candidates, one may dominate by chance, and the check passes.

    Args:
        candidates: ``strategy``, null if nothing was written.
        max_share: bound on the share of the most frequent strategy; the check's value.
        fewest: candidates from which on the strategies are compared.
    """
    written = candidates.drop_nulls("strategy")
    counts = dict(written["strategy"].value_counts().sort("strategy").iter_rows())
    top = max(counts, key=lambda name: counts[name], default="no strategy")
    share = counts.get(top, 0) / max(written.height, 1)
    return CheckOutcome(
        passed=share <= max_share or written.height < fewest,
        value=share,
        threshold=max_share,
        description=f"{counts.get(top, 0)} of {written.height} candidates follow {top!r}.",
        metadata={"strategies": counts},
    )


def _decided() -> pl.Expr:
    import polars as pl

    return pl.col("decision").is_in([Decision.KEPT.value, Decision.DISCARDED.value])


def _none_of(wrong: pl.DataFrame, rows: pl.DataFrame, what: str) -> CheckOutcome:
    return CheckOutcome(
        passed=wrong.is_empty(),
        value=wrong.height,
        threshold=0,
        description=f"{wrong.height} of {rows.height} {what}.",
        metadata={"examples": wrong["candidate_id"].head(EXAMPLES).to_list()},
    )


def _share(part: pl.DataFrame, whole: pl.DataFrame, max_share: float, what: str) -> CheckOutcome:
    """Compare a share with its bound; the share is 0 if the round has no candidates."""
    share = part.height / max(whole.height, 1)
    return CheckOutcome(
        passed=share <= max_share,
        value=share,
        threshold=max_share,
        description=f"{part.height} of {whole.height} {what}.",
        metadata={"examples": part["candidate_id"].sort().head(EXAMPLES).to_list()},
    )
