"""The page to look at first: best scores, kept share, cost so far, stale partitions."""

import dagster as dg

from rolesynth_assets.defs.wiring import conditions, freshness
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Made, stage


@stage(
    "health",
    {"markdown"},
    freshness_policy=freshness.WATCH,
    automation_condition=conditions.DAILY,
)
def overview(
    context: dg.AssetExecutionContext,
    platform: Platform,
    code_location: dg.ResourceParam[CodeLocation],
) -> Made:
    """Look here first: best scores, kept share by role set, cost so far, stale partitions.

    In: the tables of scores and cut-offs, and Dagster's event log. Out: metadata alone. Stale when:
    its code changes; make it whenever you want the numbers of today.
    """
    from rolesynth_assets.lineage.refresh.asking_assets import ASK_MODELS
    from rolesynth_assets.lineage.refresh.failed_attempts import spent_in_vain
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.staleness.causes import Status
    from rolesynth_assets.lineage.staleness.events.event_log import EventLog
    from rolesynth_assets.mllm.cost.spent import Spent
    from rolesynth_assets.reports.overview import best_scores, kept_shares, overview_page
    from rolesynth_assets.store.digests import digest

    refresher = Refresher(code_location.definitions, context.instance)
    log = EventLog(context.instance)
    refresher.observe_sources()
    counts = refresher.examine().counts().values()
    stale, missing = (sum(of[status] for of in counts) for status in (Status.STALE, Status.MISSING))
    spent = sum(
        (Spent.plain(made) for name in ASK_MODELS for made in log.metadata(dg.AssetKey(name))),
        spent_in_vain(context.instance, ASK_MODELS),
    )
    tables = platform.small.read_all(["benchmark_scores", "r1_scores", "cutoffs"])
    kept = kept_shares(tables["cutoffs"])
    best = best_scores(tables["benchmark_scores"]) + best_scores(tables["r1_scores"])
    page = overview_page(best, kept, spent, stale, missing)
    return Made(
        {
            "overview": dg.MetadataValue.md(page),
            "stale": stale,
            "missing": missing,
            "cost_so_far": spent.cost,
            "calls_so_far": spent.calls,
            **{f"kept_{role_set}": share for role_set, share in kept.items()},
            **{f"best_{row.benchmark}_{row.metric}": row.value for row in best},
        },
        digest("overview", page),
    )
