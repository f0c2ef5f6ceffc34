"""CADS: seeds of a domain, and the rounds in which a collective makes problems of them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.defs.wiring import freshness, partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    model_metadata,
    picture,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags
from rolesynth_assets.progress import reporting

if TYPE_CHECKING:
    from rolesynth_assets.cads.collective.collective import Collective

_SEED_CHECKS = {
    "seeds_found": "The domain has a seed.",
    "rejects_bounded": "Few rows of the seed files are unusable.",
}
_ROUND_CHECKS = {
    "exactly_k_verdicts": "C of every decided candidate is what exactly K verdicts say.",
    "hard_pool": "The hard pool holds the kept candidates with 1 <= C < K and no other.",
    "at_most_ten_rounds": "No seed went through more than ten rounds.",
    "no_answer_leaked": "No drawing instruction gives its problem's answer away.",
    "duplicates_bounded": "Few kept candidates repeat an earlier one.",
    "undecided_bounded": "Few candidates wait for a verdict that failed.",
    "strategies_not_collapsed": "The writers do not all follow one strategy.",
}
_BLOCKING = {"seeds_found", "exactly_k_verdicts", "hard_pool", "at_most_ten_rounds"}
_WARNINGS = {"duplicates_bounded", "strategies_not_collapsed"}


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

    return Withdrawn(platform.warehouse)


@dg.asset(
    partitions_def=partitions.domain,
    deps=["seed_files"],
    group_name="cads",
    kinds={"lance"},
    owners=OWNERS,
    code_version="1",
    check_specs=[
        check_spec("cads_seeds", name, text, partitions.domain, blocking=name in _BLOCKING)
        for name, text in _SEED_CHECKS.items()
    ],
)
def cads_seeds(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Problems and descriptions that a domain starts from, with every unusable row's reason.

    In: the domain's seed files. Out: Lance tables `seeds`, `seed_rejects`; items of benchmarks and
    withdrawn images are refused. Stale when: the files or the code change.
    """
    from rolesynth_assets.cads.seeds import checks as seed_checks
    from rolesynth_assets.cads.seeds.intake import take_seeds
    from rolesynth_assets.r1.benchmarks.items import items_of_tests
    from rolesynth_assets.r1.library import load_r1_benchmarks

    store, settings, domain = platform.store, platform.settings, context.partition_key
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
    bound = settings.thresholds.max_reject_share
    outcomes = {
        "seeds_found": seed_checks.seeds_found(taken.seeds),
        "rejects_bounded": seed_checks.rejects_bounded(taken.seeds, taken.rejects, max_share=bound),
    }
    return dg.MaterializeResult(
        metadata=page_order(
            {
                "rolesynth/seeds": taken.seeds,
                "rolesynth/seeds_with_images": taken.with_images,
                "rolesynth/rejects": sum(taken.rejects.values()),
                "rolesynth/reasons": dg.MetadataValue.json(dict(taken.rejects)),
                "dagster/uri": str(path),
                **lance_metadata("seeds", taken.seeds, store.version("seeds"), {}),
            }
        ),
        check_results=[check_result(name, outcome) for name, outcome in outcomes.items()],
        data_version=dg.DataVersion(store.digest("seeds", {"domain": domain})),
    )


@dg.asset(
    partitions_def=partitions.domain_by_round,
    deps=[
        dg.AssetDep("cads_rounds", partition_mapping=partitions.round_before),
        dg.AssetDep("cads_seeds", partition_mapping=partitions.by_domain),
        "collective",
    ],
    group_name="cads",
    kinds={"lance", "vllm"},
    owners=OWNERS,
    freshness_policy=freshness.ROUNDS,
    code_version="1",
    pool="mllm",
    check_specs=[
        check_spec(
            "cads_rounds", name, text, partitions.domain_by_round, blocking=name in _BLOCKING
        )
        for name, text in _ROUND_CHECKS.items()
    ],
)
def cads_rounds(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One round: the collective writes problems, draws, judges them, and rewrites each context.

    In: `seeds`, contexts and questions of the round before, a collective. Out: Lance tables
    `candidates`, `verdicts`, `contexts`; nothing that is in the journal is paid twice. Stale when:
    seeds, the round before, the collective or the code change, or calls failed for a passing
    reason.
    """
    import polars as pl

    from rolesynth_assets.cads.report import metadata as round_metadata
    from rolesynth_assets.cads.report.counts import round_report
    from rolesynth_assets.cads.report.page import round_markdown
    from rolesynth_assets.cads.report.sheets import galleries, round_charts
    from rolesynth_assets.cads.round import checks, stored_round
    from rolesynth_assets.mllm.reply_journal import journal_path
    from rolesynth_assets.store.lance.schemas import CANDIDATES

    store, where = platform.store, partitions.keys(context)
    domain, week = where["domain"], where["round"]
    title = f"{domain}, round of {week}"
    outcome, members = stored_round.make_round(
        store,
        chosen_collective(platform),
        os.environ,
        journal_path(platform.settings.data_root, "cads"),
        stored_round.Place(domain, week, partitions.key_of_round_before(week), context.run_id),
        withdrawn_images(platform),
        reporting(f"round {domain} {week}"),
    )
    plain = [name for name in CANDIDATES.schema.names if name != "image"]
    candidates = pl.DataFrame(store.read("candidates", where, plain))
    verdicts = pl.DataFrame(store.read("verdicts", where))
    contexts = pl.DataFrame(store.read("contexts", where))
    report = round_report(candidates, verdicts, contexts, outcome.usage)
    outcomes = {
        "exactly_k_verdicts": checks.exactly_k_verdicts(candidates, verdicts),
        "hard_pool": checks.hard_pool(candidates),
        "at_most_ten_rounds": checks.at_most_ten_rounds(contexts),
        "no_answer_leaked": checks.no_answer_leaked(candidates),
        "duplicates_bounded": checks.duplicates_bounded(candidates),
        "undecided_bounded": checks.undecided_bounded(candidates),
        "strategies_not_collapsed": checks.strategies_not_collapsed(candidates),
    }
    metadata = {
        **{f"rolesynth/{name}": n for name, n in round_metadata.round_numbers(report).items()},
        "rolesynth/report": dg.MetadataValue.md(round_markdown(report)),
        "rolesynth/contexts": dg.MetadataValue.md(round_metadata.contexts_markdown(contexts)),
        **_members_metadata(members),
        **lance_metadata("candidates", candidates.height, store.version("candidates"), _LINEAGE),
    }
    stand_ins = any(model.stand_in for model in members.values())
    note = "the members are embedded stand-ins" if stand_ins else ""
    shown = round_metadata.shown_candidates(store, where, candidates)
    drawn = galleries(shown, verdicts, title=title, note=note) | round_charts(report, title=title)
    for name, png in drawn.items():
        metadata[f"rolesynth/picture_{name}"] = picture(png, f"{name}: {title}")
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[
            check_result(name, outcome, warn=name in _WARNINGS)
            for name, outcome in outcomes.items()
        ],
        data_version=dg.DataVersion(stored_round.round_digest(store, where)),
        tags=passing_tags(outcome.to_ask_again, "call"),
    )


_WRITTEN_FROM = [("cads_seeds", "problem"), ("cads_seeds", "images"), ("cads_rounds", "question")]
_LINEAGE = {
    "seed_id": [("cads_seeds", "seed_id")],
    "question": _WRITTEN_FROM,
    "answer": _WRITTEN_FROM,
    "solution": _WRITTEN_FROM,
}


def _members_metadata(members: dict) -> dict:
    """Name the model behind each member."""
    named: dict = {}
    for name, identity in members.items():
        named |= model_metadata(f"member_{name}", identity)
    return named
