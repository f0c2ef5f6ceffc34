"""The iterator over the members of any shard, in order, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import (
    ShardDescriptor,
    ShardKind,
    decode_path,
    is_url,
)
from rolesynth_assets.images.limits import ContainerLimits, DecodeLimits, limits_in_use
from rolesynth_assets.images.places.buckets import READS_AT_ONCE, Bucket
from rolesynth_assets.images.places.paths import unsafe_path
from rolesynth_assets.images.readers.member import Member, read_file
from rolesynth_assets.images.readers.tables import iter_lance, iter_parquet, table_fault
from rolesynth_assets.images.readers.tars import iter_tar
from rolesynth_assets.images.readers.zips import iter_zip
from rolesynth_assets.parallel.lookahead import in_order


def iter_members(
    descriptor: ShardDescriptor,
    limits: DecodeLimits | None = None,
    container: ContainerLimits | None = None,
) -> Iterator[Member]:
    """Read a shard's members in order, with only a few of them in memory.

    A member that cannot be read becomes a `Reject` and the reading continues, so every listed
    member gives a row. No path in a descriptor or an archive can lead out of the shard; a link that
    a user put into their own folder is followed, if it leads to a regular file.

    Args:
        descriptor: a registered or planned shard.
        limits: only `max_bytes` is used here; a larger member is refused unread.
        container: bounds on a tar or a table as a whole.

    Yields:
        Members in a fixed order: the descriptor's, the tar's, or the rows'.

    Raises:
        BucketError: the shard is in a bucket that cannot be read.
    """
    limits = limits or limits_in_use().image
    if descriptor.kind is ShardKind.FOLDER:
        return _iter_folder(descriptor, limits.max_bytes, container or limits_in_use().container)
    if descriptor.kind is ShardKind.TAR:
        return iter_tar(descriptor.uri, limits.max_bytes, container)
    if descriptor.kind is ShardKind.ZIP:
        return iter_zip(descriptor.uri, limits.max_bytes, container)
    reader = iter_parquet if descriptor.kind is ShardKind.PARQUET else iter_lance
    return reader(descriptor, limits.max_bytes, container)


def _iter_folder(
    descriptor: ShardDescriptor, max_bytes: int, container: ContainerLimits
) -> Iterator[Member]:
    remote = is_url(descriptor.uri)
    read = Bucket(descriptor.uri).read if remote else read_file

    def member(name: str) -> Member:
        path = decode_path(name)
        full = os.path.join(descriptor.uri, path)
        why = unsafe_path(path)
        if why:
            data = Reject(RejectReason.UNSAFE_PATH, why)
        elif path.lower().endswith(".parquet") or (not remote and os.path.isdir(full)):
            data = _no_image_file(full, path.count("/"), container.max_depth)
        else:
            data = read(full, max_bytes)
        return Member(f"{descriptor.uri}/{name}", data)

    if remote:
        return in_order(member, descriptor.members, READS_AT_ONCE)
    return map(member, descriptor.members)


def _no_image_file(path: str, depth: int, max_depth: int) -> Reject:
    """Return why a table or a folder is a member: it could not be opened when it was planned."""
    if os.path.islink(path) and os.path.isdir(path) and not _is_table(path):
        detail = "a link to a folder around this one; ingest what it leads to by its own path"
        return Reject(RejectReason.UNREADABLE, detail)
    if path.lower().endswith(".parquet") or _is_table(path):
        return Reject(RejectReason.BROKEN_ARCHIVE, table_fault(path))
    if depth >= max_depth:
        detail = f"below {depth} folders; the limit is limits.container.max_depth, {max_depth}"
        return Reject(RejectReason.TOO_DEEP, detail)
    return Reject(RejectReason.UNREADABLE, "a folder that could not be listed")


def _is_table(path: str) -> bool:
    return os.path.isdir(os.path.join(path, "_versions"))
