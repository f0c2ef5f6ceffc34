"""Planning of a path's shards once more: each file stays where it was, if it is still there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind, is_url
from rolesynth_assets.images.shards.planning import next_number


@dataclass(frozen=True)
class PlannedAgain:
    """Shards of a path after it was planned again.

    Attributes:
        kept: registered shards with the members that they have now.
        new: shards for what no registered one holds; their keys are not theirs yet.
        emptied: keys of registered shards of which nothing is left.
    """

    kept: tuple[ShardDescriptor, ...]
    new: tuple[ShardDescriptor, ...]
    emptied: tuple[str, ...]


def lies_in(shard: ShardDescriptor, path: str | Path) -> bool:
    """Return whether all that a shard holds lies in or below a path or a URL."""
    place = (str(path) if is_url(path) else os.path.abspath(path)).rstrip("/")
    uris = [f"{shard.uri}/{m}" for m in shard.members] or [shard.uri]
    return all(uri == place or uri.startswith(f"{place}/") for uri in uris)


def plan_again(
    found: Sequence[ShardDescriptor], registered: Sequence[ShardDescriptor], shard_size: int
) -> PlannedAgain:
    """Give what was found to the shards that held it before.

    Args:
        found: a plan of the path as if nothing of it was registered.
        registered: the shards that lie in the path, forgotten ones included.
        shard_size: most images of a folder in a shard.
    """
    folders = [shard for shard in found if shard.kind is ShardKind.FOLDER]
    there = {f"{shard.uri}/{m}": (shard.uri, m) for shard in folders for m in shard.members}
    kept, emptied = [], []
    for shard in registered:
        if shard.kind is not ShardKind.FOLDER:
            continue
        left = tuple(m for m in shard.members if there.pop(f"{shard.uri}/{m}", None))
        if left:
            kept.append(shard.model_copy(update={"members": left}))
        else:
            emptied.append(shard.key)
    held = {shard.key: len(shard.members) for shard in registered}
    for place, shard in enumerate(kept):
        room = shard_size - len(shard.members) if len(shard.members) < held[shard.key] else 0
        taken = [uri for uri, (folder, _) in there.items() if folder == shard.uri][:room]
        more = tuple(there.pop(uri)[1] for uri in taken)
        members = tuple(sorted({*shard.members, *more}))
        kept[place] = shard.model_copy(update={"members": members if more else shard.members})
    new = [
        folders[0].model_copy(update={"uri": uri, "members": members[start : start + shard_size]})
        for uri, members in _by_folder(there.values()).items()
        for start in range(0, len(members), shard_size)
    ]
    containers = [shard for shard in found if shard.kind is not ShardKind.FOLDER]
    before = {_place(shard): shard for shard in registered}
    for shard in containers:
        known = before.pop(_place(shard), None)
        if known:
            kept.append(shard.model_copy(update={"key": known.key, "name": known.name}))
        else:
            new.append(shard)
    emptied += [s.key for s in before.values() if s.kind is not ShardKind.FOLDER]
    return PlannedAgain(tuple(kept), tuple(new), tuple(emptied))


def number_shards(
    shards: Iterable[ShardDescriptor], name: str, known: Iterable[ShardDescriptor]
) -> list[ShardDescriptor]:
    """Give shards the next keys of a name."""
    first = next_number(name, list(known))
    return [
        shard.model_copy(update={"key": f"{name}-{first + number:04d}", "name": name})
        for number, shard in enumerate(shards)
    ]


def _by_folder(members: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for folder, member in members:
        found.setdefault(folder, []).append(member)
    return {folder: tuple(listed) for folder, listed in found.items()}


def _place(shard: ShardDescriptor) -> tuple[str, str, int]:
    return shard.kind, shard.uri, shard.first_row
