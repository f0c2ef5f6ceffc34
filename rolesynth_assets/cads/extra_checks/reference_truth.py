"""How many kept samples have a wrong reference, where a program can tell (embedded world).

C >= 1 lets wrong references through (CADS, known weakness). Each extra check is held against it:
what it catches, and what it costs in right ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.values import Decision

if TYPE_CHECKING:
    import polars as pl

Truth = Callable[[str, str], str | None]
"""From drawing instruction and question to the true answer; None where it is not known.

Where no option of a multiple-choice question is right, it gives the answer in words.
"""

BY_CONSENSUS = "C >= 1"
ALL_CHECKS = "all checks"


def wrong_references(candidates: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """Count kept samples whose reference is wrong, by C >= 1 alone and with each extra check on.

    An extra check drops what it objects to; a sample that it has no result for stays. "C >= 1
    without the writer" drops what only the writer solved.

    Args:
        candidates: rows of the ``candidates`` table; ``image`` is not read.
        truth: works the true answer out.

    Returns:
        One row a rule: `rule`; `kept` samples; `verified`, those whose true answer is known;
        `wrong`, those of them whose reference is not it; `wrong_share` of the verified, null
        without any; `caught`, wrong ones that the rule drops and C >= 1 keeps; `lost`, right ones
        that it drops with them.
    """
    import polars as pl

    kept = candidates.filter(pl.col("decision") == Decision.KEPT.value)
    kept = kept.with_columns(pl.Series("right", _right(kept, truth), dtype=pl.Boolean))
    survives: dict[str, pl.Expr] = {
        BY_CONSENSUS: pl.lit(True),
        "no text-only leak": ~pl.col("text_only_leak").fill_null(False),
        "no suspect label": ~pl.col("suspect_label").fill_null(False),
        "no copied numbers": ~pl.col("copied_numbers").fill_null(False),
        "no duplicate": pl.col("duplicate_of").is_null(),
        "C >= 1 without the writer": (pl.col("consensus_without_writer") > 0).fill_null(True),
    }
    survives[ALL_CHECKS] = pl.all_horizontal(*survives.values())
    # as columns, a rule that drops nothing counts rows also where there are none
    ruled = kept.with_columns(**survives)
    right, wrong = pl.col("right").fill_null(False), (~pl.col("right")).fill_null(False)
    rows = [
        ruled.select(
            pl.lit(rule).alias("rule"),
            pl.col(rule).sum().alias("kept"),
            (pl.col(rule) & pl.col("right").is_not_null()).sum().alias("verified"),
            (pl.col(rule) & wrong).sum().alias("wrong"),
            (~pl.col(rule) & wrong).sum().alias("caught"),
            (~pl.col(rule) & right).sum().alias("lost"),
        )
        for rule in survives
    ]
    share = pl.when(pl.col("verified") > 0).then(pl.col("wrong") / pl.col("verified"))
    columns = ("rule", "kept", "verified", "wrong", "wrong_share", "caught", "lost")
    return pl.concat(rows).with_columns(share.alias("wrong_share")).select(columns)


def _right(kept: pl.DataFrame, truth: Truth) -> list[bool | None]:
    from rolesynth_assets.answers.equality import equal_by_rule

    columns = ("visual_prompt", "question", "answer", "task_type")
    known: list[bool | None] = []
    for visual_prompt, question, reference, task_type in kept.select(columns).iter_rows():
        true = truth(visual_prompt, question)
        known.append(
            None if true is None else equal_by_rule(true, reference, TaskType(task_type), question)
        )
    return known
