"""The Dagster `Definitions` of the platform."""

import dagster as dg

import rolesynth_assets.defs
from rolesynth_assets.defs.automation import new_shards, stale_sensor
from rolesynth_assets.defs.automation import weekly_refresh as weekly_refresh_module
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(rolesynth_assets.defs),
    jobs=[weekly_refresh_module.refresh],
    schedules=[weekly_refresh_module.weekly_refresh],
    sensors=[
        new_shards.new_image_shards,
        new_shards.cheap_tables_and_pages,
        stale_sensor.rematerialize_stale,
    ],
    resources={"platform": Platform(), "code_location": CodeLocation(lambda: defs)},
    executor=dg.multiprocess_executor.configured({"max_concurrent": 1}),
)
