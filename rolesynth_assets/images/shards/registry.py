"""The shard registry: one JSON file a shard in `<data root>/shards`.

A file changes only when its path is planned again. A shard that is forgotten keeps its file, in
`shards/forgotten`, so that its files are not registered a second time by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.atomic_files import move, write_text
from rolesynth_assets.files.many_files import read_all
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.shards.locks import changing_registry
from rolesynth_assets.images.shards.portable import base_of, located, stored

if TYPE_CHECKING:
    from rolesynth_assets.images.shards.planning import PlanRules


def register(data_root: DataPath | str, descriptors: Sequence[ShardDescriptor]) -> list[str]:
    """Store new shards; a shard that is already registered does not change.

    Each file is written atomically, so a killed run leaves no partial file.

    Args:
        data_root: the data root.
        descriptors: planned shards.

    Returns:
        Keys of the new shards, in the given order.

    Raises:
        ValueError: a key is already registered with another content; no shard of the call is
            stored.
    """
    with changing_registry(data_root) as folder:
        return _write_new(folder, descriptors, base_of(data_root))


def load_shards(data_root: DataPath | str) -> dict[str, ShardDescriptor]:
    """Read all registered shards, sorted by key, with the places where their sources are now.

    Returns:
        Shards by key; empty if nothing was registered yet.

    Raises:
        InputError: a file is not a shard description; the message names it.
    """
    return _shards_in(DataPaths(data_root).shards, base_of(data_root))


def _shards_in(folder: DataPath, base: str) -> dict[str, ShardDescriptor]:
    """Read the shards whose files lie in one folder; see `load_shards`."""
    shards = [located(_parsed(*found), base) for found in read_all(folder, ".json")]
    return {shard.key: shard for shard in sorted(shards, key=lambda shard: shard.key)}


def load_forgotten(data_root: DataPath | str) -> dict[str, ShardDescriptor]:
    """Read all shards that were forgotten, by key."""
    return _shards_in(DataPaths(data_root).forgotten_shards, base_of(data_root))


def forget_shards(data_root: DataPath | str, keys: Iterable[str]) -> None:
    """Take shards out of the registry; their files stay known, so that no sensor registers them.

    A key that is not registered is passed over.
    """
    forgotten = DataPaths(data_root).forgotten_shards
    with changing_registry(data_root) as folder:
        for key in keys:
            if (file := folder / f"{key}.json").is_file():
                move(file, forgotten / file.name)


def register_path(
    data_root: DataPath | str,
    path: str | Path,
    name: str,
    rules: PlanRules | None = None,
    *,
    left_out: list[str] | None = None,
) -> list[ShardDescriptor]:
    """Plan and register a source in one step, while other processes wait.

    Args:
        data_root: the data root.
        path: see `plan_shards`.
        name: see `plan_shards`.
        rules: see `plan_shards`.
        left_out: see `plan_shards`.

    Returns:
        The new shards; empty if all of `path` is already registered.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the path holds no image, or `name` cannot be part of a partition key.
    """
    with changing_registry(data_root) as folder:
        _make_portable(folder, list(load_shards(data_root).values()), base_of(data_root))
        planned = plan_path(data_root, path, name, rules, left_out=left_out)
        _write_new(folder, planned, base_of(data_root))
    return planned


def plan_path(
    data_root: DataPath | str,
    path: str | Path,
    name: str,
    rules: PlanRules | None = None,
    *,
    left_out: list[str] | None = None,
) -> list[ShardDescriptor]:
    """Return the shards that `register_path` would register now; nothing is written.

    Its arguments and errors are those of `register_path`.
    """
    from rolesynth_assets.images.shards.planning import plan_shards

    registered = [*load_shards(data_root).values(), *load_forgotten(data_root).values()]
    return plan_shards(path, name, registered, rules, left_out=left_out)


@dataclass(frozen=True)
class Registered:
    """What planning a path again did, by shard key.

    Attributes:
        new: shards that did not exist.
        changed: shards whose members are others now, or that had been forgotten.
        same: shards of the path that are as they were.
        emptied: shards of which no member is left; they are registered until they are forgotten.
        missing: by shard, members whose files are gone and that stay for their time of grace.
        dropped: by shard, members whose files are gone and that have left it.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    emptied: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def register_path_again(
    data_root: DataPath | str,
    path: str | Path,
    name: str,
    rules: PlanRules | None = None,
    with_rows: Callable[[ShardDescriptor], Collection[str]] | None = None,
) -> Registered:
    """Plan all that a path holds again, shards that were forgotten included.

    A file stays in its shard, a file that is gone leaves it unless its image is stored, and new
    files fill the shards that have lost some before they become new shards.

    Args:
        data_root: the data root.
        path: see `plan_shards`.
        name: see `plan_shards`.
        rules: see `plan_shards`.
        with_rows: gives the members of a shard with stored images; by default no member has any.

    Raises:
        FileNotFoundError: the path does not exist.
        ValueError: the path holds no image, or `name` cannot be part of a partition key.
    """
    from rolesynth_assets.images.shards.planned_again import lies_in, number_shards, plan_again
    from rolesynth_assets.images.shards.planning import PlanRules, plan_shards

    rules = rules or PlanRules()
    with changing_registry(data_root) as folder:
        live, forgotten = load_shards(data_root), load_forgotten(data_root)
        known = forgotten | live
        others = [shard for shard in known.values() if not lies_in(shard, path)]
        found = plan_shards(path, name, others, rules)
        there = [s for s in known.values() if s not in others]
        stored_images = {s.key: with_rows(s) for s in there if s.members} if with_rows else {}
        plan = plan_again(found, there, rules.shard_size, stored_images)
        new = number_shards(plan.new, name, known.values())
        for shard in (*plan.kept, *new):
            portable = stored(shard, base_of(data_root))
            write_text(folder / f"{shard.key}.json", portable.model_dump_json(indent=1))
            (DataPaths(data_root).forgotten_shards / f"{shard.key}.json").unlink(missing_ok=True)
    emptied = tuple(key for key in plan.emptied if key in live)
    changed = {s.key for s in plan.kept if live.get(s.key) != s}
    return Registered(
        tuple(shard.key for shard in new),
        tuple(sorted(changed)),
        tuple(sorted({shard.key for shard in plan.kept} - changed)),
        emptied,
        plan.missing,
        plan.dropped,
    )


def _make_portable(folder: DataPath, shards: Sequence[ShardDescriptor], base: str) -> None:
    """Write places below `base` relative to it where an earlier version wrote absolute ones."""
    for shard in shards:
        path = folder / f"{shard.key}.json"
        if _parsed(path, path.read_bytes()) != (portable := stored(shard, base)):
            write_text(path, portable.model_dump_json(indent=1))


def _write_new(folder: DataPath, descriptors: Sequence[ShardDescriptor], base: str) -> list[str]:
    new: dict[str, ShardDescriptor] = {}
    for shard in descriptors:
        path = folder / f"{shard.key}.json"
        there = path.is_file()
        present = _read(path, base) if there else new.get(shard.key, shard)
        if present != shard:
            raise ValueError(
                f"Shard {shard.key!r} is already registered with other members ({path}). "
                "Registered shards never change: plan again, so that it gets the next number."
            )
        if not there:
            new[shard.key] = shard
    for shard in new.values():
        write_text(folder / f"{shard.key}.json", stored(shard, base).model_dump_json(indent=1))
    return list(new)


def _read(path: DataPath, base: str) -> ShardDescriptor:
    return located(_parsed(path, path.read_bytes()), base)


def _parsed(path: DataPath, content: bytes) -> ShardDescriptor:
    try:
        return ShardDescriptor.model_validate_json(content)
    except ValidationError as error:
        raise InputError(
            f"{path} is not a shard description: {error}. Restore the file, or delete it and "
            "ingest its images again under a new name."
        ) from error
