"""Rows of files that are missing for a while: kept, and removed when a time of grace is over."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind, is_url
from rolesynth_assets.images.places.buckets import Bucket
from rolesynth_assets.images.shards.portable import relative
from rolesynth_assets.store.lance.schemas import IMAGE_REJECTS

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

_PASSING = {str(RejectReason.SOURCE_MISSING), str(RejectReason.UNREADABLE)}
_SINCE = re.compile(r"missing since (\S+?)[;,]")


class SourceGoneError(OSError):
    """The whole source of a shard is gone, so that nothing can be said of its files."""


def require_source(descriptor: ShardDescriptor) -> None:
    """Check that a shard's folder, tar or table exists.

    Raises:
        SourceGoneError: it does not.
        BucketError: its bucket cannot be read.
    """
    uri = descriptor.uri
    if is_url(uri):
        if descriptor.kind is ShardKind.FOLDER:
            return  # a prefix exists only as long as an object is below it
        try:
            Bucket(uri).written()
            return
        except FileNotFoundError:
            pass
    elif os.path.isdir(uri) if descriptor.kind is ShardKind.FOLDER else os.path.exists(uri):
        return
    raise SourceGoneError(
        f"Shard {descriptor.key}: {uri} does not exist, so no row was changed or removed. Mount or "
        f"put it back and run again; if it is gone for good, `rolesynth forget {descriptor.key}` "
        "removes its rows."
    )


def members_with_images(store: StoreReader, shard: ShardDescriptor, base: str) -> set[str]:
    """Return the members of a folder's shard whose images are stored.

    Args:
        store: holds the images.
        shard: the shard.
        base: absolute folder to which sources are relative.
    """
    folder = relative(f"{shard.uri}/", base)
    sources = store.values("images", "source", {"shard": shard.key})
    return {source.removeprefix(folder) for source in sources if source.startswith(folder)}


def kept_until(
    store: StoreReader, shard: str, grace_days: float, now: datetime | None = None
) -> datetime:
    """Return when the first row of a shard's missing files is removed, UTC.

    Args:
        store: holds the rejects.
        shard: key of the shard.
        grace_days: days for which a row is kept.
        now: the present, which counts for what has not been missed before.
    """
    now = now or datetime.now(UTC)
    details = store.read("image_rejects", {"shard": shard}, ["reason", "detail"]).to_pylist()
    missed = [
        _time(found[1], now)
        for row in details
        if row["reason"] in _PASSING and "is kept until" in row["detail"]
        if (found := _SINCE.match(row["detail"]))
    ]
    return min(missed, default=now) + timedelta(days=grace_days)


class MissingFiles:
    """The rows of a shard whose files are missing now."""

    def __init__(
        self,
        images: Mapping[str, str],
        rejects: Iterable[Mapping[str, str]],
        grace_days: float,
        container: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Prepare.

        Args:
            images: image id by source, as stored.
            rejects: stored rejects with source, reason and detail.
            grace_days: days for which a row is kept.
            container: source of the whole tar or table, whose reject concerns all images.
            now: time that counts as now.
        """
        self._images = images
        self._container = container
        self._since = {
            row["source"]: found[1]
            for row in rejects
            if row["reason"] in _PASSING and (found := _SINCE.match(row["detail"]))
        }
        self._grace = timedelta(days=grace_days)
        self._now = now or datetime.now(UTC)
        self.kept: list[str] = []

    def look_through(self, rejects: pa.Table) -> pa.Table:
        """Note which images to keep, in `kept`, and say so in the details of their rejects."""
        if not _PASSING & set(rejects["reason"].to_pylist()):
            return rejects
        rows = [self._explained(row) for row in rejects.to_pylist()]
        return pa.Table.from_pylist(rows, schema=IMAGE_REJECTS.schema)

    def _explained(self, row: dict[str, str]) -> dict[str, str]:
        source = row["source"]
        if row["reason"] not in _PASSING:
            return row
        whole = source == self._container
        images = list(self._images.values()) if whole else [self._images.get(source)]
        found = [image for image in images if image is not None]
        if not found and source not in self._since:
            return row
        since = _time(self._since.get(source), self._now)
        until = since + self._grace
        said = f"missing since {since.isoformat(timespec='seconds')}"
        if found and self._now < until:
            self.kept += found
            fate = f"its row is kept until {until.isoformat(timespec='minutes')}"
        else:
            fate = "its row was removed"
        return {**row, "detail": f"{said}; {fate}: {row['detail']}"[:200]}


def _time(said: str | None, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(said) if said else now
    except ValueError:
        return now
