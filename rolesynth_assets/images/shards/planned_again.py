"""Planning of a path's shards once more: each file stays where it was, if it is still there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
        missing: by key, members whose files are gone and that stay in their shard for now.
        dropped: by key, members whose files are gone and that have left their shard.
    """

    kept: tuple[ShardDescriptor, ...]
    new: tuple[ShardDescriptor, ...]
    emptied: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def lies_in(shard: ShardDescriptor, path: str | Path) -> bool:
    """Return whether all that a shard holds lies in or below a path or a URL."""
    place = (str(path) if is_url(path) else os.path.abspath(path)).rstrip("/")
    uris = [f"{shard.uri}/{m}" for m in shard.members] or [shard.uri]
    return all(uri == place or uri.startswith(f"{place}/") for uri in uris)


def plan_again(
    found: Sequence[ShardDescriptor],
    registered: Sequence[ShardDescriptor],
    shard_size: int,
    with_rows: Mapping[str, Collection[str]] | None = None,
) -> PlannedAgain:
    """Give what was found to the shards that held it before.

    Args:
        found: a plan of the path as if nothing of it was registered.
        registered: the shards that lie in the path, forgotten ones included.
        shard_size: most images of a folder in a shard.
        with_rows: by key, the members of a folder with stored images; they stay in their shard
            although their files are gone, so that reading it gives them their time of grace.
    """
    folders = [shard for shard in found if shard.kind is ShardKind.FOLDER]
    there = {f"{shard.uri}/{m}": (shard.uri, m) for shard in folders for m in shard.members}
    kept, emptied = [], []
    missing: dict[str, tuple[str, ...]] = {}
    dropped: dict[str, tuple[str, ...]] = {}
    for shard in registered:
        if shard.kind is not ShardKind.FOLDER:
            continue
        gone = [m for m in shard.members if not there.pop(f"{shard.uri}/{m}", None)]
        absent = set(gone)
        stay = absent.intersection((with_rows or {}).get(shard.key, ()))
        left = tuple(m for m in shard.members if m in stay or m not in absent)
        if stay:
            missing[shard.key] = tuple(sorted(stay))
        if left and len(gone) > len(stay):
            dropped[shard.key] = tuple(m for m in gone if m not in stay)
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
    return PlannedAgain(tuple(kept), tuple(new), tuple(emptied), missing, dropped)


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
