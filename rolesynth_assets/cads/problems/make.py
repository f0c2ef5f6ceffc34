"""Making of a domain's synthetic set from the store, with its card and its exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.problems.rules import Selection, SelectionRules
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import ModelIdentity

if TYPE_CHECKING:
    from rolesynth_assets.answers.checker_process import Grader
    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.store.lance.store import Store


@dataclass(frozen=True)
class ProblemSet:
    """The selection, the models that made it, its card, and the number of rows by export."""

    selection: Selection
    members: Mapping[str, ModelIdentity]
    card: str
    exported: Mapping[str, int]


def make_problems(
    store: Store,
    domain: str,
    collective: Collective | None,
    grader: Grader,
    *,
    rules: SelectionRules,
    licence: str,
    system: str,
    card_file: DataPath,
    exports: DataPath,
) -> ProblemSet:
    """Select a domain's problems, store them, and write card and exports (MMSynthetic).

    If no problem is kept, the table has the reasons, and existing exports stay as they were.

    Args:
        store: store with seeds and candidates, to which the problems are written.
        domain: partition.
        collective: collective that names the engines of the members.
        grader: the trainers' checkers.
        rules: target size, draw seed, and findings that drop a problem.
        licence: licence of the set.
        system: system text of TRL's prompts.
        card_file: file to which the dataset card is written.
        exports: folder that gets a folder for each format.

    Raises:
        ValueError: an accepted candidate is not complete.
    """
    import polars as pl

    from rolesynth_assets.cads.problems.card import problem_card_markdown
    from rolesynth_assets.cads.problems.card_facts import problem_card
    from rolesynth_assets.cads.problems.exports.all_formats import export_all, recorded_members
    from rolesynth_assets.cads.problems.rows import candidate_images, problem_table
    from rolesynth_assets.cads.problems.select import COLUMNS, select_problems

    where = {"domain": domain}
    images = candidate_images(store, domain)
    candidates = pl.DataFrame(store.read("candidates", where, [*COLUMNS, "renderer"]))
    seeds = pl.DataFrame(store.read("seeds", where, ["seed_id", "problem"]))
    selection = select_problems(candidates, images, grader, rules, seeds=seeds)
    table = problem_table(selection.rows, images)
    store.replace("problems", where, table, allow_empty=True)
    members = recorded_members(store, domain, collective)
    facts = problem_card(
        domain,
        selection,
        members=members,
        renderers=candidates["renderer"].drop_nulls().unique().to_list(),
        licence=licence,
        content_digest=store.digest("problems", where),
    )
    card = problem_card_markdown(facts)
    write_text(card_file, card)
    exported: dict[str, int] = {}
    if selection.kept:
        exported = export_all(store, domain, exports, grader, system=system, card=card)
    return ProblemSet(selection, members, card, exported)
