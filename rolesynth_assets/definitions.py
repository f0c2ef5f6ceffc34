"""The one Definitions object of the platform."""

import dagster as dg

from rolesynth_assets.defs import (
    automation,
    benchmarks,
    cads,
    captions,
    clip,
    health,
    images,
    pairs,
    problems,
    r1,
    r1_sources,
    refresh_schedule,
    roles,
    sources,
    stale_sensor,
)
from rolesynth_assets.defs.resources import Platform

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            sources,
            images,
            roles,
            captions,
            pairs,
            clip,
            benchmarks,
            cads,
            problems,
            r1_sources,
            r1,
            health,
        ]
    ),
    jobs=[refresh_schedule.refresh],
    schedules=[refresh_schedule.weekly_refresh],
    sensors=[
        automation.new_image_shards,
        automation.cheap_tables_and_pages,
        stale_sensor.rematerialize_stale,
    ],
    resources={"platform": Platform()},
    executor=dg.multiprocess_executor.configured({"max_concurrent": 1}),
)
