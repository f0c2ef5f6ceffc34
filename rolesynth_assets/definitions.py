"""The Dagster `Definitions` of the platform."""

import dagster as dg

import rolesynth_assets.defs
from rolesynth_assets.defs.automation import (
    killed_runs,
    make_stale,
    new_shards,
    stale_sensor,
    table_upkeep,
)
from rolesynth_assets.defs.automation import weekly_refresh as weekly_refresh_module
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.executor import check_pods, executor
from rolesynth_assets.defs.wiring.resources import Platform

_assets = dg.load_assets_from_package_module(rolesynth_assets.defs)
check_pods(
    key.to_user_string()
    for asset in _assets
    if isinstance(asset, dg.AssetsDefinition)
    for key in asset.keys
)

defs = dg.Definitions(
    assets=_assets,
    jobs=[
        weekly_refresh_module.refresh,
        make_stale.make_what_is_stale,
        table_upkeep.maintain_tables,
    ],
    schedules=[weekly_refresh_module.weekly_refresh, table_upkeep.table_upkeep],
    sensors=[
        killed_runs.end_killed_runs,
        new_shards.new_image_shards,
        new_shards.cheap_tables_and_pages,
        stale_sensor.rematerialize_stale,
    ],
    resources={
        "platform": Platform(),
        "code_location": dg.ResourceDefinition.hardcoded_resource(
            CodeLocation(lambda: defs), "Costs nothing: the graph as a whole, to look at all of it."
        ),
    },
    executor=executor(),
)
