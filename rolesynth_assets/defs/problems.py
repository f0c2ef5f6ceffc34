"""The synthetic problems of a domain, ready for the trainers."""

import dagster as dg

from rolesynth_assets.cads.problems import checks
from rolesynth_assets.defs.cads import chosen_collective, withdrawn_images
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import lance_metadata, members_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.images.checks import no_withdrawn_image
from rolesynth_assets.review.measures import references_true_by_people

_COPIED = (
    *("seed_id", "member", "question", "answer", "solution", "strategy", "task_type"),
    *("consensus", "judges", "hard", "image_id", "image"),
)
_LINEAGE = {
    "problem_id": [("cads_rounds", "candidate_id")],
    **{name: [("cads_rounds", name)] for name in _COPIED},
}


@stage(
    "cads",
    {"lance", "huggingface"},
    partitions.domain,
    deps={"cads_rounds": partitions.by_domain, "cads_seeds": None, "problem_rules": None},
    freshness_policy=freshness.ROUNDS,
    automation_condition=conditions.FAN_IN,
    checks=[
        Check(checks.problems_found, "The set has a problem.", blocking=True),
        Check(
            checks.only_accepted,
            "Every problem of the set was reached by at least one judge.",
            blocking=True,
        ),
        Check(checks.exports_whole, "Every export holds every problem of the set.", blocking=True),
        Check(no_withdrawn_image, "No image of the set was withdrawn.", blocking=True),
        Check(
            references_true_by_people,
            "Where people reviewed problems of the set, their references are right.",
            warn=True,
            bounds={"min_share": "min_true_references"},
        ),
    ],
)
def synthetic_problems(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """The accepted problems of all rounds that are new and gradable, with a card and exports.

    In: `candidates`, `seeds`. Out: Lance table `problems`, with the reason of each drop, and the
    set for EasyR1, TRL and `datasets`. Stale when: a round, the seeds, `problems` in rolesynth.yaml
    or the code change.
    """
    from rolesynth_assets.answers.checker_process import AnswerGrader
    from rolesynth_assets.cads.problems.make import make_problems
    from rolesynth_assets.r1.prompt import system_prompt
    from rolesynth_assets.review.problem_labels import read_problem_labels

    store, settings, domain = platform.store, platform.settings, context.partition_key
    card = settings.paths.problem_card(domain)
    folder = settings.paths.exports(domain)
    with AnswerGrader() as grader:
        made = make_problems(
            store,
            domain,
            chosen_collective(platform),
            grader,
            rules=settings.problems.rules,
            licence=settings.licence,
            system=system_prompt(),
            card_file=card,
            exports=folder,
        )
    selection = made.selection
    rows, kept = selection.rows, selection.kept
    return Made(
        {
            "problems": kept,
            "hard": int(rows.filter("kept")["hard"].sum()),
            "problems_if_none_refused": selection.kept_unrefused,
            "refused": ", ".join(sorted(selection.rules.refused)) or "nothing",
            "dropped": rows.height - kept,
            "drop_reasons": selection.dropped,
            "not_accepted": selection.not_accepted,
            "card": dg.MetadataValue.md(made.card),
            "card_path": dg.MetadataValue.path(str(card)),
            "dagster/uri": str(folder),
            **lance_metadata("problems", rows.height, store.version("problems"), _LINEAGE),
            **members_metadata(made.members),
        },
        store.digest("problems", {"domain": domain}),
        facts={
            "kept": kept,
            "not_accepted": selection.not_accepted,
            "dropped": selection.dropped,
            "problems": rows,
            "labels": read_problem_labels(store, domain),
            "exported": made.exported,
            "name": domain,
            "image_ids": rows.filter("kept")["image_id"].to_list(),
            "withdrawn": withdrawn_images(platform),
        },
    )
