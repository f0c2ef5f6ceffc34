"""The Dagster `Definitions` of the platform."""

import dagster as dg

from rolesynth_assets.defs import (
    benchmarks,
    cads,
    captions,
    clip,
    health,
    images,
    pair_filter,
    problems,
    r1,
    roles,
    scores,
    sources,
)
from rolesynth_assets.defs.automation import new_shards, stale_sensor
from rolesynth_assets.defs.automation import weekly_refresh as weekly_refresh_module
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            sources,
            images,
            roles,
            captions,
            scores,
            pair_filter,
            clip,
            benchmarks,
            cads,
            problems,
            r1,
            health,
        ]
    ),
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
