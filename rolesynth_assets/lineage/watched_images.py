"""The watched folder or bucket: which shards its new files become, and registering them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.images.places.place import place_name
from rolesynth_assets.images.shards.planning import PlanRules
from rolesynth_assets.images.shards.registry import plan_path, register_path
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.images.descriptor import ShardDescriptor

SETTLED_S = 30.0
"""A file or object must have been left alone this long, in seconds, or it may be half copied."""


def planned_shards(settings: Settings, left_out: list[str] | None = None) -> list[ShardDescriptor]:
    """Return the shards that `register_watched` would register now; nothing is written.

    Args:
        settings: name the place.
        left_out: gets a sentence for each container that is not read.

    Raises:
        NoImagesError: the place holds no image yet.
        BucketError: it lies in a bucket that cannot be read.
    """
    if settings.images is None:
        return []
    name = place_name(settings.images)
    return plan_path(settings.data_root, settings.images, name, _rules(settings), left_out=left_out)


def register_watched(settings: Settings) -> list[ShardDescriptor]:
    """Register what is new in the watched place, if one is watched; return the new shards.

    Raises:
        NoImagesError: the place holds no image yet.
        BucketError: it lies in a bucket that cannot be read.
    """
    if settings.images is None:
        return []
    name = place_name(settings.images)
    return register_path(settings.data_root, settings.images, name, _rules(settings))


def _rules(settings: Settings) -> PlanRules:
    return PlanRules(settings.shard_size, min_age_s=SETTLED_S, container=settings.limits.container)
