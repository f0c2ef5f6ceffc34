"""CADS: seeds of a domain, and the rounds in which a collective makes problems of them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.cads.round import checks
from rolesynth_assets.cads.seeds import checks as seed_checks
from rolesynth_assets.defs.wiring import engine_kinds, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import lance_metadata, members_metadata, picture
from rolesynth_assets.defs.wiring.resources import Platform, paid_although_failed
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags
from rolesynth_assets.mllm.cost.metered import Meter
from rolesynth_assets.mllm.factory import release_engine
from rolesynth_assets.progress import reporting

if TYPE_CHECKING:
    from rolesynth_assets.cads.collective.collective import Collective

_WRITTEN_FROM = [("cads_seeds", "problem"), ("cads_seeds", "images"), ("cads_rounds", "question")]
_LINEAGE = {
    "seed_id": [("cads_seeds", "seed_id")],
    "question": _WRITTEN_FROM,
    "answer": _WRITTEN_FROM,
    "solution": _WRITTEN_FROM,
}


def chosen_collective(platform: Platform) -> "Collective":
    """Return the collective that the project has chosen, or fail with the way to choose one."""
    from rolesynth_assets.cads.collective.collective import CollectiveError, choose_collective

    settings = platform.settings
    try:
        return choose_collective(settings.collective, settings.collectives)
    except CollectiveError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def withdrawn_images(platform: Platform) -> Mapping[str, str]:
    """Return what each tombstone says, by image id, at the moment of asking."""
    from rolesynth_assets.store.tombstones import Withdrawn

    return Withdrawn(platform.small)


@stage(
    "cads",
    {"lance"},
    partitions.domain,
    deps={"seed_files": None},
    checks=[
        Check(seed_checks.seeds_found, "The domain has a seed.", blocking=True),
        Check(
            seed_checks.rejects_bounded,
            "Few rows of the seed files are unusable.",
            bounds={"max_share": "max_reject_share"},
        ),
    ],
)
def cads_seeds(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Problems and descriptions that a domain starts from, with every unusable row's reason.

    In: the domain's seed files. Out: Lance tables `seeds`, `seed_rejects`; items of benchmarks and
    withdrawn images are refused. Stale when: the files or the code change.
    """
    from rolesynth_assets.cads.seeds.intake import take_seeds
    from rolesynth_assets.r1.benchmarks.items import items_of_tests
    from rolesynth_assets.r1.library import load_r1_benchmarks

    store, settings, domain = platform.store, platform.settings, context.partition_key
    partitions.SEED_FILES.require([domain])
    path = partitions.SEED_FILES.get(domain)
    if path is None:
        raise dg.Failure(
            f"Domain {domain!r} has no seeds: put {domain}.jsonl or {domain}.parquet, with a "
            f"`problem` or a `description` in each row, into {settings.seeds}.",
            allow_retries=False,
        )
    benchmarks = load_r1_benchmarks(settings.project / "r1_benchmarks")
    tests = items_of_tests(benchmarks, settings.data_root)
    taken = take_seeds(store, path, domain, tests, withdrawn_images(platform))
    return Made(
        {
            "seeds": taken.seeds,
            "seeds_with_images": taken.with_images,
            "rejects": sum(taken.rejects.values()),
            "reasons": taken.rejects,
            "dagster/uri": str(path),
            **lance_metadata("seeds", taken.seeds, store.version("seeds"), {}),
        },
        store.digest("seeds", {"domain": domain}),
        facts={"seeds": taken.seeds, "rejects": taken.rejects},
    )


@stage(
    "cads",
    {"lance", *engine_kinds.MEMBERS},
    partitions.domain_by_round,
    deps={
        "cads_rounds": partitions.round_before,
        "cads_seeds": partitions.by_domain,
        "collective": None,
    },
    freshness_policy=freshness.ROUNDS,
    pool="mllm",
    checks=[
        Check(
            checks.exactly_k_verdicts,
            "C of every decided candidate is counted from exactly K verdicts.",
            blocking=True,
        ),
        Check(
            checks.hard_pool,
            "The hard pool holds the kept candidates with 1 <= C < K and no other.",
            blocking=True,
        ),
        Check(
            checks.at_most_ten_rounds,
            "No seed went through more than ten rounds.",
            blocking=True,
            bounds={"max_rounds": "max_seed_rounds"},
        ),
        Check(
            checks.no_answer_leaked,
            "No drawing instruction gives its problem's answer away.",
            bounds={"max_leaked": "max_leaked_answers"},
        ),
        Check(
            checks.duplicates_bounded,
            "Few kept candidates repeat an earlier one.",
            warn=True,
            bounds={"max_share": "max_duplicate_share"},
        ),
        Check(
            checks.undecided_bounded,
            "Few candidates wait for a verdict that failed.",
            bounds={"max_share": "max_undecided_share"},
        ),
        Check(
            checks.strategies_not_collapsed,
            "The writers do not all follow one strategy.",
            warn=True,
            bounds={"max_share": "max_strategy_share", "fewest": "fewest_candidates"},
        ),
    ],
)
def cads_rounds(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """One round: the collective writes problems, draws, judges them, and rewrites each context.

    In: `seeds`, contexts and questions of the round before, a collective. Out: Lance tables
    `candidates`, `verdicts`, `contexts`; nothing that is in the journal is paid twice. Stale when:
    seeds, the round before, the collective or the code change, or calls failed for a transient
    reason.
    """
    from rolesynth_assets.cads.report.counts import round_report
    from rolesynth_assets.cads.report.metadata import round_metadata, round_pictures
    from rolesynth_assets.cads.round import stored_round
    from rolesynth_assets.mllm.rows.reply_journal import journal_path

    store, where = platform.store, partitions.keys(context)
    domain, week = where["domain"], where["round"]
    meter = Meter()
    release_engine()  # the members may need the GPU
    with paid_although_failed(meter):
        outcome, members = stored_round.make_round(
            store,
            chosen_collective(platform),
            os.environ,
            journal_path(platform.settings.data_root, "cads"),
            stored_round.Place(domain, week, partitions.key_of_round_before(week), context.run_id),
            withdrawn_images(platform),
            reporting(f"round {partitions.round_number(week)} {domain} {week}"),
            meter,
        )
    rows = stored_round.read_round(store, where)
    report = round_report(**rows, usage=outcome.usage)
    number = partitions.round_number(week)
    title = f"{domain}, round {number}, week of {week}"
    drawn = round_pictures(store, where, report, rows, members.values(), title)
    return Made(
        {
            "round": f"round {number}, week of {week}",
            **round_metadata(report, rows["contexts"]),
            **members_metadata(members),
            **lance_metadata(
                "candidates", rows["candidates"].height, store.version("candidates"), _LINEAGE
            ),
            **{f"picture_{name}": picture(png, f"{name}: {title}") for name, png in drawn.items()},
        },
        stored_round.round_digest(store, where),
        facts=rows,
        tags=passing_tags(outcome.to_ask_again, "call"),
    )
