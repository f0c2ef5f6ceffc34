"""Ingestion of a shard: its members as rows of the `images` and `image_rejects` tables."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.ingest_rows import BATCH_BYTES, IngestBatch, RowBuilder
from rolesynth_assets.images.limits import ContainerLimits, DecodeLimits, limits_in_use
from rolesynth_assets.images.readers.member import Member
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.shards.portable import relative
from rolesynth_assets.progress import Progress
from rolesynth_assets.store.digests import image_id

THREADS = 2  # decoders leave the interpreter lock alone, so two threads use two cores


@dataclass
class IngestReport:
    """Counts of a shard's accepted and rejected members; `add` counts a batch.

    Attributes:
        shard: Its key.
        images: Accepted images.
        bytes: Of the accepted images as stored.
        rejects: Rejected members by reason.
        kept_missing: Images whose file is missing and whose row is kept for now.
        elsewhere: Images of the shard that are in another shard too.
    """

    shard: str
    images: int = 0
    bytes: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    kept_missing: int = 0
    elsewhere: int = 0

    @property
    def members(self) -> int:
        """Number of accepted and rejected members."""
        return self.images + self.rejects.total()

    def add(self, batch: IngestBatch) -> None:
        """Add a batch to the counts."""
        self.images += batch.images.num_rows
        self.bytes += sum(batch.images["bytes"].to_pylist())
        self.rejects.update(batch.rejects["reason"].to_pylist())


def ingest_batches(
    descriptor: ShardDescriptor,
    limits: DecodeLimits | None = None,
    ordinal_start: int = 0,
    progress: Progress | None = None,
    withdrawn: Mapping[str, str] | None = None,
    container: ContainerLimits | None = None,
    base: str = "/",
) -> Iterator[IngestBatch]:
    """Read, decode and number a shard's members in batches of bounded size.

    Members are decoded in a small thread pool; the rows are in the order of the members, the same
    in every run. A member whose bytes occurred earlier in the shard is rejected as `duplicate`.

    Args:
        descriptor: the shard.
        limits: bounds on one image.
        ordinal_start: ordinal of the first accepted image; the next images get the next numbers.
        progress: called after each member with (members done, members expected); expected is 0 for
            a tar, whose number of members is not known before.
        withdrawn: detail of the reject by image id, for images that must not come back; they are
            not decoded.
        container: bounds on a tar or a table as a whole.
        base: absolute folder; a source below it is written relative to it.

    Yields:
        Batches of at most `BATCH_ROWS` members and about `BATCH_BYTES` bytes.
    """
    limits = limits or limits_in_use().image
    rows = RowBuilder(descriptor.key, ordinal_start)
    done = 0
    members = iter_members(descriptor, limits, container)
    if withdrawn:
        members = _refuse_withdrawn(members, withdrawn)
    for member, result in _decoded(members, limits):
        rows.add(relative(member.source, base), result)
        done += 1
        if progress:
            progress(done, descriptor.expected_members)
        if rows.full:
            yield rows.take()
    if len(rows):
        yield rows.take()


def _decoded(
    members: Iterator[Member], limits: DecodeLimits
) -> Iterator[tuple[Member, NormalisedImage | Reject]]:
    """Decode a few members ahead, and yield them in order."""
    window: deque[tuple[Member, Future[NormalisedImage | Reject] | Reject]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="decode") as pool:
        try:
            for member in members:
                if isinstance(member.data, Reject):
                    window.append((member, member.data))
                else:
                    window.append((member, pool.submit(normalise, member.data, limits)))
                while len(window) > 8 * THREADS or (window and _held(window) > BATCH_BYTES):
                    yield _finished(*window.popleft())
            while window:
                yield _finished(*window.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _refuse_withdrawn(members: Iterator[Member], withdrawn: Mapping[str, str]) -> Iterator[Member]:
    """Replace the bytes of withdrawn images by a reject."""
    for member in members:
        if isinstance(member.data, bytes) and (known := withdrawn.get(image_id(member.data))):
            yield Member(member.source, Reject(RejectReason.WITHDRAWN, known))
        else:
            yield member


def _finished(
    member: Member, result: Future[NormalisedImage | Reject] | Reject
) -> tuple[Member, NormalisedImage | Reject]:
    return member, result if isinstance(result, Reject) else result.result()


def _held(window: Iterable[tuple[Member, Future[NormalisedImage | Reject] | Reject]]) -> int:
    """Return the bytes of a window's members and of what was made from them, as far as it is."""
    held = 0
    for member, result in window:
        held += 0 if isinstance(member.data, Reject) else len(member.data)
        if isinstance(result, Future) and result.done() and not result.exception():
            made = result.result()
            held += len(made.data) if isinstance(made, NormalisedImage) else 0
    return held
