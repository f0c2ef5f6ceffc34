"""The synthetic problems of a domain, ready for the trainers."""

import dagster as dg

from rolesynth_assets.defs.cads import chosen_collective, withdrawn_images
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    model_metadata,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform

_CHECKS = {
    "problems_found": "The set has a problem.",
    "only_accepted": "Every problem of the set was reached by at least one judge.",
    "exports_whole": "Every export holds every problem of the set.",
    "no_withdrawn_image": "No image of the set was withdrawn.",
}
_COPIED = (
    *("seed_id", "member", "question", "answer", "solution", "strategy", "task_type"),
    *("consensus", "judges", "hard", "image_id", "image"),
)


@dg.asset(
    partitions_def=partitions.domain,
    deps=[
        dg.AssetDep("cads_rounds", partition_mapping=partitions.by_domain),
        "cads_seeds",
        "problem_rules",
    ],
    group_name="cads",
    kinds={"lance", "huggingface"},
    owners=OWNERS,
    freshness_policy=freshness.ROUNDS,
    automation_condition=conditions.FAN_IN,
    code_version="1",
    check_specs=[
        check_spec("synthetic_problems", name, text, partitions.domain, blocking=True)
        for name, text in _CHECKS.items()
    ],
)
def synthetic_problems(
    context: dg.AssetExecutionContext, platform: Platform
) -> dg.MaterializeResult:
    """The accepted problems of all rounds that are new and gradable, with a card and exports.

    In: `candidates`, `seeds`. Out: Lance table `problems`, with the reason of each drop, and the
    set for EasyR1, TRL and `datasets`. Stale when: a round, the seeds, `problems` in rolesynth.yaml
    or the code change.
    """
    from rolesynth_assets.answers.checker_process import AnswerGrader
    from rolesynth_assets.cads.problems import checks as problem_checks
    from rolesynth_assets.cads.problems.make import make_problems
    from rolesynth_assets.images.checks import no_withdrawn_image
    from rolesynth_assets.r1.prompt import system_prompt

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
    rows = made.selection.rows
    kept = made.selection.kept
    ids = rows.filter("kept")["image_id"].to_list()
    outcomes = {
        "problems_found": problem_checks.problems_found(kept),
        "only_accepted": problem_checks.only_accepted(rows),
        "exports_whole": problem_checks.exports_whole(kept, made.exported),
        "no_withdrawn_image": no_withdrawn_image(domain, ids, withdrawn_images(platform)),
    }
    metadata = {
        "rolesynth/problems": kept,
        "rolesynth/hard": int(rows.filter("kept")["hard"].sum()),
        "rolesynth/problems_if_none_refused": made.selection.kept_unrefused,
        "rolesynth/refused": ", ".join(sorted(made.selection.rules.refused)) or "nothing",
        "rolesynth/dropped": rows.height - kept,
        "rolesynth/drop_reasons": dg.MetadataValue.json(made.selection.dropped),
        "rolesynth/not_accepted": dg.MetadataValue.json(dict(made.selection.not_accepted)),
        "rolesynth/card": dg.MetadataValue.md(made.card),
        "rolesynth/card_path": dg.MetadataValue.path(str(card)),
        "dagster/uri": str(folder),
        **lance_metadata(
            "problems",
            rows.height,
            store.version("problems"),
            {
                "problem_id": [("cads_rounds", "candidate_id")],
                **{name: [("cads_rounds", name)] for name in _COPIED},
            },
        ),
    }
    for name, identity in made.members.items():
        metadata |= model_metadata(f"member_{name}", identity)
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[check_result(name, outcome) for name, outcome in outcomes.items()],
        data_version=dg.DataVersion(store.digest("problems", {"domain": domain})),
    )
