"""Selection of the synthetic set: new and gradable triples without duplicates (MMSynthetic)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rolesynth_assets.answers.spelling import words
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker
from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.extra_checks.near_duplicates import (
    ProblemPrint,
    duplicates,
    problem_print,
)
from rolesynth_assets.cads.problems.bare_answer import Gold, gold_answer
from rolesynth_assets.cads.problems.drops import Dropped, DropReason
from rolesynth_assets.cads.problems.rows import IMAGES_AT_ONCE, Images, problem_rows
from rolesynth_assets.cads.problems.rules import Selection, SelectionRules
from rolesynth_assets.cads.problems.stratified_draw import Candidacy, draw
from rolesynth_assets.cads.values import Decision

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.answers.checker_process import Grader

COLUMNS = (
    "candidate_id",
    "domain",
    "round",
    "seed_id",
    "member",
    "question",
    "answer",
    "solution",
    "strategy",
    "task_type",
    "consensus",
    "judges",
    "hard",
    "image_id",
    "decision",
    *FINDINGS,
    "consensus_without_writer",
)
"""Columns of the table ``candidates`` that the selection reads; images are read separately."""

_UNGRADABLE = {
    Checker.MATHRULER: DropReason.UNGRADABLE_EASYR1,
    Checker.MATH_VERIFY: DropReason.UNGRADABLE_TRL,
}

_Outcomes = dict[str, Gold | Dropped]


def select_problems(
    candidates: pl.DataFrame,
    images: Images,
    grader: Grader,
    rules: SelectionRules | None = None,
    seeds: pl.DataFrame | None = None,
) -> Selection:
    """Select the problems of the synthetic set (MMSynthetic).

    Candidates are dropped in this order: those with a finding that `rules` refuse; those whose
    question is the seed's own; those whose answer a trainer cannot grade; duplicates of an earlier
    round or of a smaller id; those that are not drawn. So no problem is dropped as a duplicate of
    one that a check before it dropped.

    Args:
        candidates: rows of the table ``candidates`` with at least `COLUMNS`, all rounds of one
            domain or several.
        images: reader of the accepted candidates' images, `IMAGES_AT_ONCE` at a time.
        grader: the trainers' checkers.
        rules: target size, draw seed and refused findings.
        seeds: rows of the table ``seeds`` with ``seed_id`` and ``problem``; None skips the
            comparison with them.

    Raises:
        ValueError: an accepted candidate lacks its question, answer, image or C.
    """
    import polars as pl

    rules = rules or SelectionRules()
    kept = pl.col("decision") == str(Decision.KEPT)
    accepted = candidates.select(COLUMNS).filter(kept).sort("candidate_id")
    others = candidates.filter(~kept).group_by("decision").len().sort("decision")
    seed_texts = dict(seeds.select("seed_id", "problem").iter_rows()) if seeds is not None else {}
    refused: dict[str, Dropped] = {}
    gradable: _Outcomes = {}
    for row in accepted.iter_rows(named=True):
        _check_complete(row)
        key = row["candidate_id"]
        gradable[key] = _not_new(row, seed_texts.get(row["seed_id"])) or _gold(row, grader)
        if found := _refused(row, rules):
            refused[key] = found
    outcomes = _narrowed(accepted, gradable | refused, images, rules)
    rows = problem_rows(accepted, outcomes)
    unrefused = _narrowed(accepted, dict(gradable), images, rules) if refused else outcomes
    kept_unrefused = sum(isinstance(outcome, Gold) for outcome in unrefused.values())
    return Selection(rows, rules, dict(others.iter_rows()), kept_unrefused)


def _narrowed(
    accepted: pl.DataFrame, outcomes: _Outcomes, images: Images, rules: SelectionRules
) -> _Outcomes:
    """Drop duplicates and problems that are not drawn, in place."""
    _drop_duplicates(accepted, outcomes, images)
    if rules.target is not None:
        _drop_undrawn(accepted, outcomes, rules.target, rules.draw_seed)
    return outcomes


def _check_complete(row: Mapping[str, Any]) -> None:
    needed = ("question", "answer", "solution", "strategy", "task_type", "image_id", "consensus")
    absent = [name for name in needed if row[name] is None]
    if absent:
        raise ValueError(
            f"candidate {row['candidate_id']} of round {row['round']} is kept but has no "
            f"{', '.join(absent)}: materialize cads_rounds for domain {row['domain']!r} again"
        )


def _refused(row: Mapping[str, Any], rules: SelectionRules) -> Dropped | None:
    for name, finding in FINDINGS.items():
        if name in rules.refused and row[name]:
            return Dropped(name, finding.meaning)
    if DropReason.WRITER_ALONE in rules.refused and row["consensus_without_writer"] == 0:
        detail = f"C is {row['consensus']} with {row['member']}, who wrote it, and 0 without"
        return Dropped(DropReason.WRITER_ALONE, detail)
    return None


def _not_new(row: Mapping[str, Any], seed_problem: str | None) -> Dropped | None:
    if seed_problem is not None and _bare(row["question"]) == _bare(seed_problem):
        return Dropped(DropReason.COPIES_SEED, f"the question is that of seed {row['seed_id']}")
    return None


def _bare(question: str) -> str:
    return " ".join(words(question.replace("<image>", " ")).split())


def _gold(row: Mapping[str, Any], grader: Grader) -> Gold | Dropped:
    kind = TaskType(row["task_type"])
    gold = gold_answer(row["answer"], kind, row["question"])
    if isinstance(gold, Dropped):
        return gold
    for checker, reason in _UNGRADABLE.items():
        if grader.gold(gold.answer, kind, checker) is None:
            return Dropped(reason, f"{checker} cannot grade {gold.answer!r} against itself")
    return gold


def _drop_duplicates(accepted: pl.DataFrame, outcomes: _Outcomes, images: Images) -> None:
    """Drop problems that repeat a kept one; those of earlier rounds are kept."""
    kept: list[ProblemPrint] = []
    for _, of_round in accepted.sort("round", "candidate_id").group_by(
        "round", maintain_order=True
    ):
        prints: list[ProblemPrint] = []
        for part in of_round.iter_slices(IMAGES_AT_ONCE):
            questions = dict(part.select("candidate_id", "question").iter_rows())
            answers = {
                key: outcome.answer
                for key in questions
                if isinstance(outcome := outcomes[key], Gold)
            }
            pictures = images(list(answers))
            prints += [
                problem_print(key, questions[key], answer, pictures[key])
                for key, answer in answers.items()
            ]
        copies = duplicates(prints, kept)
        outcomes |= {k: Dropped(DropReason.DUPLICATE, f"of {of}") for k, of in copies.items()}
        kept += [print_ for print_ in prints if print_.key not in copies]


def _drop_undrawn(accepted: pl.DataFrame, outcomes: _Outcomes, target: int, seed: int) -> None:
    columns = accepted.select("candidate_id", "domain", "strategy", "hard")
    pool = [
        Candidacy(key, (domain, strategy), hard)
        for key, domain, strategy, hard in columns.iter_rows()
        if isinstance(outcomes[key], Gold)
    ]
    drawn = draw(pool, target, seed)
    detail = f"{len(drawn)} of {len(pool)} were drawn with seed {seed}"
    left_out = [row.key for row in pool if row.key not in drawn]
    outcomes |= {key: Dropped(DropReason.NOT_DRAWN, detail) for key in left_out}
