"""Counts of kept samples with a wrong reference, where a program knows the truth (embedded world).

C >= 1 accepts some wrong references (CADS, known weakness). Each extra check is compared with it:
how many wrong references it drops, and how many right ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.values import Decision

if TYPE_CHECKING:
    import polars as pl

Truth = Callable[[str, str], str | None]
"""From drawing instruction and question to the true answer; None if it is not known.

If no option of a multiple-choice question is right, it gives the answer in words.
"""

BY_CONSENSUS = "C >= 1"
ALL_CHECKS = "all checks"


def wrong_references(candidates: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """Count kept samples whose reference is wrong, by C >= 1 alone and with each extra check on.

    An extra check drops the samples that it objects to; a sample without a result stays. "C >= 1
    without the writer" drops samples that only the writer solved.

    Args:
        candidates: rows of the ``candidates`` table; ``image`` is not read.
        truth: computes the true answer.

    Returns:
        One row per rule: `rule`; `kept` samples; `verified`, those whose true answer is known;
        `wrong`, the verified ones whose reference is another answer; `wrong_share` of the verified,
        null if there are none; `caught`, wrong ones that the rule drops and C >= 1 keeps; `lost`,
        right ones that the rule drops and C >= 1 keeps.
    """
    import polars as pl

    kept = candidates.filter(pl.col("decision") == Decision.KEPT.value)
    kept = kept.with_columns(pl.Series("right", _right(kept, truth), dtype=pl.Boolean))
    survives: dict[str, pl.Expr] = {
        BY_CONSENSUS: pl.lit(True),
        **{f"no {name.replace('_', ' ')}": ~pl.col(name).fill_null(False) for name in FINDINGS},
        "no duplicate": pl.col("duplicate_of").is_null(),
        "C >= 1 without the writer": (pl.col("consensus_without_writer") > 0).fill_null(True),
    }
    survives[ALL_CHECKS] = pl.all_horizontal(*survives.values())
    # as columns, so that a rule that drops nothing also counts the rows of an empty table
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
