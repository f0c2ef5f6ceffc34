"""The report of a captioning run, and the counts of its partition afterwards."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rolesynth_assets.captions.reasons import CaptionReason

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

REPORT_COLUMNS = ("role", "length", "reason", "words", "cuts")
"""Columns of the `captions` table that the counts read."""


@dataclass(frozen=True)
class RoleLengthCount:
    """The rows of one role and length kind; `mean_words` is 0.0 when it has no caption."""

    role: str
    length: str
    rows: int
    captions: int
    mean_words: float


@dataclass(frozen=True)
class CaptionReport:
    """One run of `write_captions` over one (shard, role set).

    Attributes:
        shard: image shard.
        role_set: role set.
        images: images of the shard.
        wanted: captions the partition should have: images x roles x lengths, without those of
            images that were withdrawn during the run.
        calls: requests that this run sent, those of the preflight included.
        recovered: rows made from replies that an earlier run had paid for but not stored.
        cached: wanted rows that already existed (cache hits).
        reused: rows copied from other partitions (a shared role, an image in two shards).
        removed: rows deleted because they are no longer wanted.
        reread: rows whose text or reason changed, because rules, bounds or language did.
        cuts: rows that each cleaning rule changed, in the whole partition.
        captions: rows with a text, in the whole partition.
        reasons: rows without a text by reason, in the whole partition.
        failed_in_passing: those of them that the next run asks for again.
        by_role_and_length: rows, captions and mean words, in the whole partition.
        prompt_tokens: tokens read by this run's calls.
        completion_tokens: tokens written by this run's calls.
        neutralised: control tokens in the texts of role files, made harmless in this run's calls.
        seconds: wall time of the run.
        model: which model answered, what its server refuses, hit rates of its caches
            (`RowRun.model`).
    """

    shard: str
    role_set: str
    images: int
    wanted: int
    calls: int
    recovered: int
    cached: int
    reused: int
    removed: int
    reread: int
    cuts: dict[str, int]
    captions: int
    reasons: dict[str, int]
    failed_in_passing: int
    by_role_and_length: tuple[RoleLengthCount, ...]
    prompt_tokens: int
    completion_tokens: int
    neutralised: int
    seconds: float
    model: Mapping[str, object] = field(default_factory=dict)

    @property
    def calls_per_second(self) -> float:
        """Calls of this run over its wall time; 0.0 for a run without calls."""
        return self.calls / self.seconds if self.calls and self.seconds else 0.0

    @property
    def numbers(self) -> dict[str, int | float]:
        """What the catalogue shows of the run as numbers, by name."""
        return {
            "captions": self.captions,
            "neutralised": self.neutralised,
            "recovered": self.recovered,
            "cached": self.cached,
            "reused": self.reused,
            "removed": self.removed,
            "reread": self.reread,
            "refusals": self.reasons.get(CaptionReason.REFUSED, 0),
            "calls_per_second": self.calls_per_second,
            "seconds": self.seconds,
        }

    @property
    def by_role_frame(self) -> "pl.DataFrame":
        """Rows, captions and mean words by role and length kind, a row each."""
        import polars as pl

        return pl.DataFrame(self.by_role_and_length)


def count_reasons(rows: "pa.Table") -> dict[str, int]:
    """Count rows without a text by reason, most frequent first."""
    counts = Counter(reason for reason in rows["reason"].to_pylist() if reason is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def count_by_role_and_length(rows: "pa.Table") -> tuple[RoleLengthCount, ...]:
    """Count rows, captions and mean words by role and length kind, sorted by both.

    Args:
        rows: rows of the `captions` table with the columns `REPORT_COLUMNS`.
    """
    counts: Counter[tuple[str, str]] = Counter()
    texts: Counter[tuple[str, str]] = Counter()
    words: Counter[tuple[str, str]] = Counter()
    columns = (rows[name].to_pylist() for name in ("role", "length", "reason", "words"))
    for role, length, reason, row_words in zip(*columns, strict=True):
        counts[role, length] += 1
        if reason is None:
            texts[role, length] += 1
            words[role, length] += row_words
    return tuple(
        RoleLengthCount(
            role=role,
            length=length,
            rows=counts[role, length],
            captions=texts[role, length],
            mean_words=words[role, length] / texts[role, length] if texts[role, length] else 0.0,
        )
        for role, length in sorted(counts)
    )


def count_cuts(cuts: Sequence[str | None]) -> dict[str, int]:
    """Count the rows that each cleaning rule changed, most frequent first.

    Args:
        cuts: the column `cuts`.
    """
    counts = Counter(name for names in cuts for name in (names or "").split())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
