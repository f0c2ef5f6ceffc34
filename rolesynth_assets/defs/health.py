"""How much of everything is fresh, as numbers that the UI draws over time."""

import dagster as dg

from rolesynth_assets.defs.wiring import conditions, freshness
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.stage import Made, stage


@stage(
    "health",
    {"dagster"},
    freshness_policy=freshness.WATCH,
    automation_condition=conditions.DAILY,
)
def partition_health(
    context: dg.AssetExecutionContext, code_location: dg.ResourceParam[CodeLocation]
) -> Made:
    """Counts of fresh, stale and missing partitions of every asset, and why they are stale.

    In: Dagster's event log, and the sources as they are now. Out: metadata, and
    the check `up_to_date` of each partition that became stale or fresh. Stale when: its code
    changes; make it as often as you want a point on its plots.
    """
    import polars as pl

    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.shown_staleness import show_staleness
    from rolesynth_assets.lineage.staleness.causes import Status
    from rolesynth_assets.lineage.staleness.explain import Words
    from rolesynth_assets.store.digests import digest

    refresher = Refresher(code_location.definitions, context.instance)
    refresher.observe_sources()
    staleness = refresher.examine()
    counts = {asset: of for asset, of in staleness.counts().items() if asset != "partition_health"}
    table = pl.DataFrame(
        [{"asset": asset, **{s.value: of[s] for s in Status}} for asset, of in counts.items()]
    )
    words = Words(context.instance, explainers())
    show_staleness(refresher.graph, context.instance, staleness, words)
    causes = pl.DataFrame(
        [
            {"partition": str(cell), "why": "; ".join(words.why(staleness, cell))}
            for cell, _ in list(staleness.stale())[:20]
        ],
        schema={"partition": pl.String, "why": pl.String},
    )
    metadata: dict[str, int] = {
        status.value: sum(of[status] for of in counts.values()) for status in Status
    }
    metadata |= {
        f"{asset}_{status.value}": of[status]
        for asset, of in counts.items()
        for status in (Status.STALE, Status.MISSING)
    }
    return Made(
        {**metadata, "counts": table, "causes": causes}, digest("health", repr(table.rows()))
    )
