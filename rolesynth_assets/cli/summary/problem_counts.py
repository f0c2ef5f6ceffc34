"""Counts and scores of CADS and R1, read from the stored tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables


@dataclass(frozen=True)
class RoundSummary:
    """Counts of one round of one domain.

    Attributes:
        domain: partition key of the domain.
        round_key: partition key of the round.
        candidates: all candidates.
        decided: candidates with exactly K verdicts.
        kept: decided candidates with C >= 1.
        hard: kept candidates with C < K.
        wrong: kept candidates whose reference a program finds wrong; None if no reference can be
            verified.
        wrong_checked: the wrong ones that pass all extra checks; None if `wrong` is None.
        kept_checked: kept candidates that pass all extra checks.
    """

    domain: str
    round_key: str
    candidates: int
    decided: int
    kept: int
    hard: int
    wrong: int | None
    wrong_checked: int | None
    kept_checked: int


def summarise_rounds(
    store: StoreReader, domains: Sequence[str], rounds: Sequence[str]
) -> list[RoundSummary]:
    """Count candidates by decision, and verify the references with the drawing instructions.

    References can be verified if the drawing instruction is a specification, as in the embedded
    world.

    Args:
        store: the tables.
        domains: domains to summarise.
        rounds: keys of their rounds.
    """
    import polars as pl

    from rolesynth_assets.cads.extra_checks.reference_truth import (
        ALL_CHECKS,
        BY_CONSENSUS,
        wrong_references,
    )
    from rolesynth_assets.cads.values import Decision
    from rolesynth_assets.embedded.problems.solve import true_answer
    from rolesynth_assets.store.lance.schemas import CANDIDATES

    plain = [name for name in CANDIDATES.schema.names if name != "image"]
    found = []
    for domain in domains:
        for key in rounds:
            rows = pl.DataFrame(store.read("candidates", {"domain": domain, "round": key}, plain))
            table = wrong_references(rows, true_answer)
            rules = {row["rule"]: row for row in table.iter_rows(named=True)}
            known = rules[BY_CONSENSUS]["verified"] > 0
            found.append(
                RoundSummary(
                    domain=domain,
                    round_key=key,
                    candidates=rows.height,
                    decided=rows["consensus"].drop_nulls().len(),
                    kept=rows.filter(pl.col("decision") == Decision.KEPT.value).height,
                    hard=int(rows["hard"].sum()),
                    wrong=rules[BY_CONSENSUS]["wrong"] if known else None,
                    wrong_checked=rules[ALL_CHECKS]["wrong"] if known else None,
                    kept_checked=rules[ALL_CHECKS]["kept"],
                )
            )
    return found


@dataclass(frozen=True)
class SetSummary:
    """Counts of the synthetic set of one domain.

    Attributes:
        domain: partition key of the domain.
        kept: number of problems in the set.
        refused: number of problems dropped for a finding of an extra check, by finding.
    """

    domain: str
    kept: int
    refused: Mapping[str, int]


def summarise_sets(store: StoreReader, domains: Sequence[str]) -> list[SetSummary]:
    """Count the problems of each domain's set, and those dropped for a finding."""
    from rolesynth_assets.cads.problems.rules import REFUSABLE

    found = []
    for domain in domains:
        reasons = store.read("problems", {"domain": domain}, ["reason"])["reason"].to_pylist()
        refused = Counter(reason for reason in reasons if reason in REFUSABLE)
        found.append(SetSummary(domain, reasons.count(None), dict(sorted(refused.items()))))
    return found


def summarise_r1(
    small: SmallTables, recipes: Sequence[str], benchmarks: Sequence[str]
) -> pl.DataFrame:
    """Return accuracy by benchmark and recipe with interval and chance, means over seeds."""
    import polars as pl

    wanted = pl.col("recipe").is_in(recipes) & pl.col("benchmark").is_in(benchmarks)
    return (
        small.read("r1_scores")
        .filter(wanted & (pl.col("metric") == "accuracy"))
        .group_by("benchmark", "recipe")
        .agg(pl.col("value", "low", "high").mean(), pl.col("chance").first())
        .sort("benchmark", "recipe")
    )
