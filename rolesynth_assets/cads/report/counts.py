"""Counts of a round of CADS: agreement of the judges, solved problems and kept problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.records import MemberUsage
from rolesynth_assets.cads.values import DecidedBy, Decision

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class MemberReport:
    """Counts of one member as judge and as writer.

    Attributes:
        name: member name.
        judged: its verdicts on decided candidates, including candidates that it wrote.
        solved: the verdicts among them whose answer equals the reference.
        missing: its verdicts without a result, on any candidate.
        written: candidates dealt to it.
        decided: the candidates among them that K verdicts decided.
        kept: the decided ones with C >= 1.
        hard: the decided ones with 1 <= C < K.
    """

    name: str
    judged: int
    solved: int
    missing: int
    written: int
    decided: int
    kept: int
    hard: int

    @property
    def solve_rate(self) -> float | None:
        """Share of the decided candidates that it solves; None if it judged none."""
        return self.solved / self.judged if self.judged else None

    @property
    def keep_rate(self) -> float | None:
        """Share of its decided candidates that are kept; None if none is decided."""
        return self.kept / self.decided if self.decided else None


@dataclass(frozen=True)
class RoundReport:
    """Counts over the rows of one round of one domain.

    Attributes:
        judges: K.
        candidates: number of rows, failed ones included.
        consensus: number of decided candidates with C = 0, 1, ..., K.
        undecided: candidates with a missing verdict.
        failed: candidates that were never ready to be judged.
        hard: kept candidates with C < K.
        members: each judge and writer, by name.
        strategies: decided candidates by strategy, most frequent first, as in all that follow.
        claimed_domains: decided candidates by the domain that the writer names.
        task_types: decided candidates by task type.
        flagged: candidates that an extra check objects to, by check; a check without any result,
            because it is off, is left out.
        duplicates: kept candidates that repeat another one.
        kept_without_writer: kept candidates that would also be kept without the writer's verdict;
            None if that check is off.
        decided_by: verdicts decided by rule and by a model.
        failures: failed and undecided candidates by reason.
        missing_verdicts: verdicts without a result by reason, without those of the text-only check.
        seeds: number of context rows.
        seeds_at_work: seeds that got candidates in this round.
        reflected: seeds whose context was rewritten.
        not_reflected: seeds whose context could not be rewritten, by reason.
        rows_tokens: tokens read and written for these candidates and verdicts, in any run.
        usage: usage of this run over all members, in which replies from the journal are counted
            separately.
    """

    judges: int
    candidates: int
    consensus: tuple[int, ...]
    undecided: int
    failed: int
    hard: int
    members: tuple[MemberReport, ...]
    strategies: Mapping[str, int]
    claimed_domains: Mapping[str, int]
    task_types: Mapping[str, int]
    flagged: Mapping[str, int]
    duplicates: int
    kept_without_writer: int | None
    decided_by: Mapping[str, int]
    failures: Mapping[str, int]
    missing_verdicts: Mapping[str, int]
    seeds: int
    seeds_at_work: int
    reflected: int
    not_reflected: Mapping[str, int]
    rows_tokens: int
    usage: MemberUsage

    @property
    def decided(self) -> int:
        """Number of candidates with K verdicts."""
        return sum(self.consensus)

    @property
    def kept(self) -> int:
        """Number of candidates with C >= 1."""
        return sum(self.consensus[1:])

    @property
    def keep_rate(self) -> float | None:
        """Share of the decided candidates that is kept; None if none is decided."""
        return self.kept / self.decided if self.decided else None

    @property
    def hard_rate(self) -> float | None:
        """Share of the decided candidates that is hard; None if none is decided."""
        return self.hard / self.decided if self.decided else None


def round_report(
    candidates: pl.DataFrame,
    verdicts: pl.DataFrame,
    contexts: pl.DataFrame,
    usage: Mapping[str, MemberUsage] | None = None,
) -> RoundReport:
    """Count the rows of one round (CADS, per-round report).

    Args:
        candidates: rows of the ``candidates`` table, of one domain and round; images may be left
            out.
        verdicts: rows of ``verdicts``, of the same partition.
        contexts: rows of ``contexts``, of the same partition.
        usage: usage of the run by member, as `run_round` returns it.

    Raises:
        ValueError: the rows have several K, so they come from more than one collective.
    """
    import polars as pl

    judges = _judges(candidates)
    decided = candidates.filter(pl.col("consensus").is_not_null())
    kept = candidates.filter(pl.col("decision") == Decision.KEPT.value)
    seen = verdicts.filter("with_image")
    consensus = dict(decided.group_by("consensus").len().iter_rows())
    return RoundReport(
        judges=judges,
        candidates=candidates.height,
        consensus=tuple(consensus.get(count, 0) for count in range(judges + 1)),
        undecided=_count(candidates, "decision", Decision.UNDECIDED),
        failed=_count(candidates, "decision", Decision.FAILED),
        hard=int(candidates["hard"].sum()),
        members=_members(candidates, seen, decided),
        strategies=_counts(decided, "strategy"),
        claimed_domains=_counts(decided, "claimed_domain"),
        task_types=_counts(decided, "task_type"),
        flagged={c: int(candidates[c].sum()) for c in FINDINGS if _ran(candidates, c)},
        duplicates=kept["duplicate_of"].count(),
        kept_without_writer=_without_writer(candidates, kept),
        decided_by={str(by): _count(seen, "decided_by", by) for by in DecidedBy},
        failures=_counts(candidates, "reason"),
        missing_verdicts=_counts(seen.filter(pl.col("correct").is_null()), "reason"),
        seeds=contexts.height,
        seeds_at_work=candidates["seed_id"].n_unique(),
        reflected=contexts["reflection"].count(),
        not_reflected=_counts(contexts, "reason"),
        rows_tokens=_tokens(candidates) + _tokens(verdicts),
        usage=_total((usage or {}).values()),
    )


def _judges(candidates: pl.DataFrame) -> int:
    sizes = candidates["judges"].unique().to_list()
    if len(sizes) > 1:
        raise ValueError(
            f"candidates of one round have K = {sorted(sizes)}: they are of several collectives; "
            "materialize cads_rounds for it again"
        )
    return sizes[0] if sizes else 0


def _members(
    candidates: pl.DataFrame, verdicts: pl.DataFrame, decided: pl.DataFrame
) -> tuple[MemberReport, ...]:
    import polars as pl

    names = sorted({*candidates["member"], *verdicts["judge"]})
    on_decided = verdicts.join(decided.select("candidate_id"), on="candidate_id", how="semi")
    reports = []
    for name in names:
        judged = on_decided.filter(pl.col("judge") == name)
        written = candidates.filter(pl.col("member") == name)
        reports.append(
            MemberReport(
                name=name,
                judged=judged.height,
                solved=int(judged["correct"].sum()),
                missing=verdicts.filter(pl.col("judge") == name)["correct"].null_count(),
                written=written.height,
                decided=written["consensus"].count(),
                kept=_count(written, "decision", Decision.KEPT),
                hard=int(written["hard"].sum()),
            )
        )
    return tuple(reports)


def _without_writer(candidates: pl.DataFrame, kept: pl.DataFrame) -> int | None:
    column = "consensus_without_writer"
    return int((kept[column] > 0).sum()) if _ran(candidates, column) else None


def _ran(candidates: pl.DataFrame, check: str) -> bool:
    return candidates[check].null_count() < candidates.height


def _tokens(rows: pl.DataFrame) -> int:
    return int(rows["prompt_tokens"].sum()) + int(rows["completion_tokens"].sum())


def _count(rows: pl.DataFrame, column: str, value: str) -> int:
    return int((rows[column] == str(value)).sum())


def _counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    """Count the values of a column, null left out, most frequent first."""
    counts = rows.drop_nulls(column).group_by(column).len()
    return dict(counts.sort("len", column, descending=[True, False]).iter_rows())


def _total(usage: Iterable[MemberUsage]) -> MemberUsage:
    return MemberUsage(*map(sum, zip(*map(astuple, usage), strict=True)))
