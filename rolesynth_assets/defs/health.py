"""How much of everything is fresh, as numbers over time, and the upkeep of the Lance tables."""

import dagster as dg

from rolesynth_assets.defs.wiring import conditions, freshness
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.progress import reporting
from rolesynth_assets.reports import table_upkeep


@stage(
    "health",
    {"dagster"},
    freshness_policy=freshness.WATCH,
    automation_condition=conditions.DAILY,
)
def partition_health(
    context: dg.AssetExecutionContext,
    platform: Platform,
    code_location: dg.ResourceParam[CodeLocation],
) -> Made:
    """Counts of fresh, stale and missing partitions of every asset, and why they are stale.

    In: Dagster's event log, and the sources as they are now. Out: metadata, and the check
    `up_to_date` of each partition that became stale or fresh; a shard whose partition was deleted
    is forgotten first. Stale when: its code changes; make it as often as you want a point on its
    plots.
    """
    import polars as pl

    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.shown_staleness import show_staleness
    from rolesynth_assets.lineage.shards import agree_on_shards, forgotten_words
    from rolesynth_assets.lineage.staleness.causes import Status
    from rolesynth_assets.lineage.staleness.explain import Words
    from rolesynth_assets.store.digests import digest

    refresher = Refresher(code_location.definitions, context.instance)
    root = platform.settings.data_root
    for shard in agree_on_shards(context.instance, refresher.graph, root)[1]:
        context.log.warning(forgotten_words(shard))
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


@stage(
    "health",
    {"lance"},
    freshness_policy=freshness.DATA,
    checks=[
        Check(
            table_upkeep.few_small_files,
            "No table consists of many small files.",
            warn=True,
        ),
        Check(
            table_upkeep.look_ups_indexed,
            "A look-up by an id or a partition scans few rows.",
            warn=True,
        ),
        Check(
            table_upkeep.few_useless_versions,
            "Few versions are left that nothing needs.",
            warn=True,
        ),
    ],
)
def table_maintenance(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Keeps the Lance tables fast and small: merges files, indexes ids, removes old versions.

    In: the tables' files, and the pins, whose versions stay. Out: the same rows with the same
    digests; sizes, versions, files and indexes as metadata. Stale when: its code changes; commands
    make it where it is due, and so does the schedule `table_upkeep`.
    """
    from rolesynth_assets.store.digests import digest
    from rolesynth_assets.training_sets.table_upkeep import maintain_tables

    upkeep = maintain_tables(platform.store, platform.small, reporting("upkeep of the tables"))
    return Made(
        {
            "tables": table_upkeep.state_rows(upkeep.after),
            "done": upkeep.done,
            "freed_bytes": upkeep.freed,
            **{f"{state.table}_bytes": state.disk_bytes for state in upkeep.after},
            **{f"{state.table}_versions": state.versions for state in upkeep.after},
        },
        digest("maintenance", repr(upkeep)),
        facts={"states": upkeep.after},
    )
