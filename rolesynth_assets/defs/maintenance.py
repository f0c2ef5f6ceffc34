"""The upkeep of the Lance tables."""

import dagster as dg

from rolesynth_assets.defs.wiring import freshness
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.progress import reporting
from rolesynth_assets.reports import table_upkeep


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

    upkeep = maintain_tables(platform.store, platform.warehouse, reporting("upkeep of the tables"))
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
