"""The report of a round as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rolesynth_assets.cads.report.counts import RoundReport
from rolesynth_assets.pictures import markdown

MOST_NAMES = 12
"""Largest number of names listed of one kind; writers name domains as they like."""


def round_markdown(report: RoundReport) -> str:
    """Return the report of a round as Markdown (CADS, printed per round).

    Returns:
        Tables of C, members, kinds of problems and reasons, and a line on the cost of the run.
    """
    k = report.judges
    lines = [
        f"{report.candidates} candidates of {report.seeds_at_work} seeds: {report.decided} decided "
        f"by {k} judges each, {report.undecided} undecided, {report.failed} failed.",
        f"Kept {_share(report.kept, report.decided)}, hard {_share(report.hard, report.decided)}.",
        "",
        *_table(
            ["C", *map(str, range(k + 1))],
            [["candidates", *(_share(count, report.decided) for count in report.consensus)]],
        ),
        *_table(
            ["member", "solves", "without a result", "writes", "kept", "hard"],
            [
                [
                    member.name,
                    _share(member.solved, member.judged),
                    str(member.missing),
                    str(member.written),
                    _share(member.kept, member.decided),
                    _share(member.hard, member.decided),
                ]
                for member in report.members
            ],
        ),
        *_table(["decided candidates", "by"], _kinds(report)),
    ]
    if extra := _extra(report):
        lines += _table(["extra check", "objects to"], extra)
    reasons = {
        "candidate": report.failures,
        "verdict": report.missing_verdicts,
        "context": report.not_reflected,
    }
    failed = [
        [what, reason, str(count)]
        for what, counts in reasons.items()
        for reason, count in counts.items()
    ]
    if failed:
        lines += _table(["without a result", "reason", "rows"], failed)
    return "\n".join([*lines, _took(report)])


def _kinds(report: RoundReport) -> list[list[str]]:
    return [
        ["strategy", _counts(report.strategies)],
        ["domain, as claimed", _counts(report.claimed_domains)],
        ["task type", _counts(report.task_types)],
        ["verdicts settled by", _counts(report.decided_by)],
    ]


def _extra(report: RoundReport) -> list[list[str]]:
    rows = [[name.replace("_", " "), str(count)] for name, count in report.flagged.items()]
    if report.duplicates:
        rows.append(["duplicates", f"{report.duplicates} of {report.kept} kept"])
    if report.kept_without_writer is not None:
        only_writer = report.kept - report.kept_without_writer
        rows.append(["solved by its writer only", f"{only_writer} of {report.kept} kept"])
    return rows


def _took(report: RoundReport) -> str:
    usage = report.usage
    return (
        f"{report.reflected} of {report.seeds} contexts rewritten. This run made {usage.calls} "
        f"calls ({usage.from_journal} more answered from the journal) and {usage.images} images "
        f"({usage.images_from_journal} from the journal), with {usage.prompt_tokens:,} tokens read "
        f"and {usage.completion_tokens:,} written, at a cost of {usage.cost:.2f}. All rows took "
        f"{report.rows_tokens:,} tokens."
    )


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else str(part)


def _counts(counts: Mapping[str, int]) -> str:
    shown = [f"{name}: {count}" for name, count in list(counts.items())[:MOST_NAMES]]
    rest = len(counts) - len(shown)
    return ", ".join(shown + ([f"and {rest} more"] if rest else [])) or "none"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [markdown.table(head, rows), ""]
