"""The charts of a round, and sheets of some of its problems with every judge's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.report.counts import RoundReport
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.pictures.consensus import MemberRate, consensus_histogram, member_rates
from rolesynth_assets.pictures.problem_sheet import ShownAnswer, ShownProblem, problem_sheet
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

PROBLEMS = 3
"""Problems on one sheet, so that it stays readable and within the size limit of a picture."""


def galleries(
    candidates: pl.DataFrame,
    verdicts: pl.DataFrame,
    *,
    count: int = PROBLEMS,
    title: str = "",
    note: str = "",
) -> dict[str, bytes]:
    """Draw some kept problems that all judges solve, and some of the hard pool.

    The problems are the same on every run: those with the smallest digests.

    Args:
        candidates: rows of the ``candidates`` table with their images.
        verdicts: rows of ``verdicts``, of the same partition.
        count: problems on a sheet.
        title: title of the sheets, such as the domain and the round.
        note: note below the sheets, such as that the members are stand-ins.

    Returns:
        PNGs by ``kept`` and ``hard``; a sheet without a problem is left out.
    """
    import polars as pl

    pool = candidates.filter(pl.col("decision") == Decision.KEPT.value).drop_nulls("image")
    sheets = {
        "kept": (pool.filter(~pl.col("hard")), "all judges agree with the reference"),
        "hard": (pool.filter("hard"), "hard: some judges agree with the reference and some do not"),
    }
    said = verdicts.filter("with_image")
    drawn: dict[str, bytes] = {}
    for name, (rows, what) in sheets.items():
        chosen = sorted(rows["candidate_id"], key=lambda key: digest("showcase", key))[:count]
        by_key = {row["candidate_id"]: row for row in _rows(rows, chosen)}
        answers = _rows(said, chosen)
        problems = [
            _shown(by_key[key], [a for a in answers if a["candidate_id"] == key]) for key in chosen
        ]
        if problems:
            below = f"{what}; {note}" if note else what
            drawn[name] = problem_sheet(problems, title=title or name, note=below)
    return drawn


def round_charts(report: RoundReport, *, title: str = "") -> dict[str, bytes]:
    """Draw the histogram of C, and the members' solve and keep rates.

    Args:
        report: report of the round.
        title: title of the charts, such as the domain and the round.

    Returns:
        PNGs by ``consensus`` and ``members``; empty if no candidate is decided.
    """
    if not report.decided:
        return {}
    rates = [MemberRate(m.name, m.solved, m.judged, m.kept, m.decided) for m in report.members]
    return {
        "consensus": consensus_histogram(report.consensus, title=title),
        "members": member_rates(rates, title=title),
    }


def _rows(rows: pl.DataFrame, chosen: list[str]) -> list[dict[str, Any]]:
    import polars as pl

    return list(rows.filter(pl.col("candidate_id").is_in(chosen)).iter_rows(named=True))


def _shown(candidate: dict[str, Any], verdicts: list[dict[str, Any]]) -> ShownProblem:
    facts = (
        f"{candidate['strategy']} - written by {candidate['member']} - "
        f"C = {candidate['consensus']} of {candidate['judges']}"
    )
    objections = [check.replace("_", " ") for check in FINDINGS if candidate[check]]
    objections += ["duplicate"] if candidate["duplicate_of"] else []
    if candidate["consensus_without_writer"] == 0:
        objections.append("solved by its writer only")
    return ShownProblem(
        image=candidate["image"],
        question=candidate["question"],
        reference=candidate["answer"],
        answers=tuple(
            ShownAnswer(
                verdict["judge"],
                verdict["answer"] or f"no answer: {verdict['reason']}",
                verdict["correct"],
                verdict["is_writer"],
            )
            for verdict in sorted(verdicts, key=lambda verdict: verdict["judge"])
        ),
        facts=facts,
        note=f"Objections: {', '.join(objections)}." if objections else "",
    )
