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
        captions,
        clip,
        images,
        pairs,
        roles,
        sources,
    )
from rolesynth_assets.defs.resources import Platform

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([sources, images, roles, captions, pairs, clip, benchmarks]),
    sensors=[automation.new_image_shards],
    resources={"platform": Platform()},
    executor=dg.multiprocess_executor.configured({"max_concurrent": 1}),
)
