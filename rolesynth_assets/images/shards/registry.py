"""The shard registry: one JSON file a shard below `<data root>/shards`, written once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.shards.planning import DEFAULT_SHARD_SIZE, plan_shards
from rolesynth_assets.store.atomic_files import write_text

__all__ = ["ShardDescriptor", "load_shards", "plan_shards", "register", "register_path"]
LOCK_TIMEOUT_S = 120.0


def register(data_root: str | Path, descriptors: Sequence[ShardDescriptor]) -> list[str]:
    """Store new shards; a shard that is registered already is left as it is.

    Each file is written whole or not at all, so a killed run leaves no half shard.

    Args:
        data_root: A local folder.
        descriptors: Planned shards.

    Returns:
        Keys of the shards that are new, in the order given.

    Raises:
        ValueError: A key is registered with another content; nothing of the call is stored.
    """
    with _locked(data_root) as folder:
        return _write_new(folder, descriptors)


def load_shards(data_root: str | Path) -> dict[str, ShardDescriptor]:
    """Read all registered shards, sorted by key.

    Returns:
        Shards by key; none where nothing was registered yet.

    Raises:
        ValueError: A file is no shard description; the message names it.
    """
    folder = DataPaths(data_root).shards
    shards = [_read(path) for path in sorted(folder.glob("*.json"))]
    return {shard.key: shard for shard in sorted(shards, key=lambda shard: shard.key)}


def register_path(
    data_root: str | Path,
    path: str | Path,
    name: str,
    *,
    shard_size: int = DEFAULT_SHARD_SIZE,
    column: str | None = None,
    min_age_s: float = 0.0,
    container: ContainerLimits | None = None,
) -> list[ShardDescriptor]:
    """Plan and register a source in one step that no second process can interleave with.

    Args:
        data_root: A local folder.
        path: See `plan_shards`.
        name: See `plan_shards`.
        shard_size: See `plan_shards`.
        column: See `plan_shards`.
        min_age_s: See `plan_shards`.
        container: See `plan_shards`.

    Returns:
        The new shards; empty when all of `path` is registered already.

    Raises:
        FileNotFoundError: There is no such path.
        ValueError: The path holds no image, or `name` cannot be part of a partition key.
    """
    with _locked(data_root) as folder:
        registered = list(load_shards(data_root).values())
        planned = plan_shards(
            path,
            name,
            registered,
            shard_size=shard_size,
            column=column,
            min_age_s=min_age_s,
            container=container,
        )
        _write_new(folder, planned)
    return planned


@contextmanager
def _locked(data_root: str | Path) -> Iterator[Path]:
    folder = DataPaths(data_root).shards
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT_S):
        yield folder


def _write_new(folder: Path, descriptors: Sequence[ShardDescriptor]) -> list[str]:
    new: dict[str, ShardDescriptor] = {}
    for shard in descriptors:
        path = folder / f"{shard.key}.json"
        present = _read(path) if path.exists() else new.get(shard.key, shard)
        if present != shard:
            raise ValueError(
                f"Shard {shard.key!r} is registered already, with other members ({path}). "
                "Registered shards never change: plan again, so that it gets the next number."
            )
        if not path.exists():
            new[shard.key] = shard
    for shard in new.values():
        write_text(folder / f"{shard.key}.json", shard.model_dump_json(indent=1))
    return list(new)


def _read(path: Path) -> ShardDescriptor:
    try:
        return ShardDescriptor.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path} is no shard description: {error}. Restore the file, or delete it and "
            "ingest its images again under a new name."
        ) from error
