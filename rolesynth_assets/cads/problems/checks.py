"""Data-quality checks of a domain's synthetic problems and of their exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.cads.values import Decision
from rolesynth_assets.check_outcome import CheckOutcome

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5


def problems_found(
    kept: int, not_accepted: Mapping[str, int], dropped: Mapping[str, int], name: str
) -> CheckOutcome:
    """Pass when the set has a problem.

    Args:
        kept: number of problems in the set.
        not_accepted: candidates of all rounds that were not accepted, by decision.
        dropped: accepted candidates that are not in the set, by reason.
        name: domain.
    """
    said = f"The set has {kept} problems; at least 1 is needed."
    if not kept:
        lost = [f"{count:,} {why}" for why, count in (*not_accepted.items(), *dropped.items())]
        said += f" Candidates: {', '.join(lost) or 'none was written'}."
        if not_accepted.get(Decision.FAILED):
            said += (
                " The page of cads_rounds has the reasons of those that failed. Once the members "
                f"are mended, `rolesynth problems {name} --again unparsable,refused,truncated` "
                "makes the failed calls again."
            )
    return CheckOutcome(passed=kept >= 1, value=kept, threshold=1, description=said)


def only_accepted(problems: pl.DataFrame) -> CheckOutcome:
    """Pass when at least one judge reached every problem's answer: 1 <= C <= K.

    Args:
        problems: ``problem_id``, ``kept``, ``consensus``, ``judges``.
    """
    import polars as pl

    accepted = (pl.col("consensus") >= 1) & (pl.col("consensus") <= pl.col("judges"))
    wrong = problems.filter(pl.col("kept") & ~accepted)
    return CheckOutcome(
        passed=wrong.is_empty(),
        value=wrong.height,
        threshold=0,
        description=f"{wrong.height} of {problems.height} problems were solved by no judge.",
        metadata={"examples": wrong["problem_id"].head(EXAMPLES).to_list()},
    )


def exports_whole(kept: int, exported: Mapping[str, int]) -> CheckOutcome:
    """Pass when every export holds every problem of the set.

    Args:
        kept: number of problems in the set.
        exported: number of rows by format.
    """
    wrong = {name: rows for name, rows in exported.items() if rows != kept}
    said = ", ".join(f"{name} {rows}" for name, rows in exported.items()) or "none was written"
    return CheckOutcome(
        passed=not wrong,
        value=len(wrong),
        threshold=0,
        description=f"The set has {kept} problems; rows exported: {said}.",
        metadata={"rows": dict(exported)},
    )
