"""Places below the folder of the data root, written relative to it, so that a project can move."""

from __future__ import annotations

import os
from pathlib import PurePath

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind, decode_path, is_url

_LOOKED_AT = 3  # members of a moved folder that must be where it is expected


def base_of(data_root: DataPath | str) -> str:
    """Return the absolute folder to which places are relative: the one that has the data root.

    It is empty for a data root in a bucket, whose registry has absolute places and URLs.
    """
    return (
        "" if DataPaths(data_root).in_bucket else os.path.dirname(os.path.abspath(str(data_root)))
    )


def relative(place: str, base: str) -> str:
    """Return a path, or a source that begins with one, relative to `base` if it is below it."""
    if base in ("", "/") or not place.startswith(f"{base}/"):
        return place
    return place.removeprefix(f"{base}/")


def stored(shard: ShardDescriptor, base: str) -> ShardDescriptor:
    """Return a shard as it is written to the registry."""
    uri = "." if base and shard.uri == base else relative(shard.uri, base)
    return shard.model_copy(update={"uri": uri})


def located(shard: ShardDescriptor, base: str) -> ShardDescriptor:
    """Return a shard of the registry with the place where it is now.

    A file that an earlier version wrote has an absolute place. If there is nothing at it, the
    project has been moved, and the end of the path is looked for below `base`.
    """
    if is_url(shard.uri) or not base:
        return shard
    if not os.path.isabs(shard.uri):
        return shard.model_copy(update={"uri": os.path.normpath(os.path.join(base, shard.uri))})
    if os.path.exists(shard.uri):
        return shard
    parts = PurePath(shard.uri).parts[1:]
    for first in range(len(parts)):
        moved = os.path.join(base, *parts[first:])
        if _has(moved, shard):
            return shard.model_copy(update={"uri": moved})
    return shard


def _has(place: str, shard: ShardDescriptor) -> bool:
    if shard.kind is not ShardKind.FOLDER:
        return os.path.exists(place)
    members = shard.members[:_LOOKED_AT]
    return all(os.path.exists(os.path.join(place, decode_path(member))) for member in members)
