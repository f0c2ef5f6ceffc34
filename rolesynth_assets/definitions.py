"""The one Definitions object of the platform."""

import warnings

import dagster as dg

with warnings.catch_warnings():
    # partitioned checks are in preview in 1.13; drop this once they are not
    warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*")
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
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

# in beta in 1.13, said anew at every observation; drop this once it is not
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*DataVersionsByPartition.*")

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
