"""Every night: the upkeep of the Lance tables, where it is due."""

import dagster as dg

from rolesynth_assets.defs.wiring.described import described
from rolesynth_assets.defs.wiring.resources import Platform

maintain_tables = dg.define_asset_job(
    "maintain_tables",
    selection=["table_maintenance"],
    description="Costs nothing: merges small files of the Lance tables, indexes ids and removes "
    "versions that nothing needs.",
)


@described(
    dg.schedule,
    cron_schedule="0 4 * * *",
    job=maintain_tables,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def table_upkeep(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Costs nothing: `table_maintenance` at 04:00, if a table needs it. Off until turned on.

    The commands do the same at their end, so it is for a root that only Dagster writes to.
    """
    from rolesynth_assets.training_sets.table_upkeep import tables_due

    due = tables_due(platform.store, platform.small)
    if not due:
        return dg.SkipReason("No table needs it.")
    return dg.RunRequest(run_key=f"table_upkeep/{context.scheduled_execution_time:%Y-%m-%d}")
