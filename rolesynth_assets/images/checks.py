"""The data-quality checks of image shards and training images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.images.decoding.rejects import RejectReason

MAX_EXAMPLES = 5
NO_FAULT = frozenset({RejectReason.WITHDRAWN, RejectReason.DUPLICATE, RejectReason.SOURCE_MISSING})
"""Reasons that refuse a file for what it holds or for its absence, not as no usable image."""
USABLE = frozenset({RejectReason.WITHDRAWN, RejectReason.DUPLICATE})
"""Reasons that refuse an image that can be decoded."""


def shard_not_empty(shard: str, images: int, rejects: Mapping[str, int]) -> CheckOutcome:
    """Check that a shard holds a usable image, whether or not it is taken from this shard.

    A copy of an image of another shard counts, and so does a withdrawn image.

    Args:
        shard: key of the shard.
        images: number of accepted images.
        rejects: number of rejected members by reason.
    """
    refused = {reason: rejects[reason] for reason in sorted(USABLE) if rejects.get(reason)}
    usable = images + sum(refused.values())
    ways_out = (
        f" `rolesynth rejects {shard}` says why. Mend the files and run `rolesynth ingest PATH "
        f"--again`, or drop the shard with `rolesynth forget {shard}`."
    )
    said = "".join(f" and {count} {reason}" for reason, count in refused.items())
    return CheckOutcome(
        passed=usable >= 1,
        value=usable,
        threshold=1,
        description=f"Shard {shard} holds {images} images{said}; at least 1 is needed."
        + ("" if usable else ways_out),
    )


def images_once(shard: str, image_ids: Collection[str], elsewhere: int) -> CheckOutcome:
    """Compare the distinct images of a shard with the rows that all shards have of them.

    Args:
        shard: key of the shard.
        image_ids: image ids of the shard.
        elsewhere: number of them that another shard has too.
    """
    distinct = len(set(image_ids))
    return CheckOutcome(
        passed=not elsewhere,
        value=elsewhere,
        threshold=0,
        description=f"Shard {shard}: {distinct} distinct images have rows in this shard, and "
        f"{elsewhere} of them in another one too; none should, except with ingest.duplicates: all.",
    )


def rejects_bounded(
    shard: str,
    images: int,
    rejects: Mapping[str, int],
    max_share: float = 0.2,
    rejected_files: Sequence[str] = (),
) -> CheckOutcome:
    """Check that few members of a shard were rejected, not counting those without a fault.

    Duplicates, withdrawn images and missing files are no faults; the first two count as members
    that were read.

    Args:
        shard: key of the shard.
        images: number of accepted images.
        rejects: number of rejected members by reason.
        max_share: largest share of rejects among all members, 0 to 1.
        rejected_files: some of the rejected files, each with its reason.
    """
    faults = {reason: n for reason, n in rejects.items() if reason not in NO_FAULT}
    rejected = sum(faults.values())
    members = images + rejected + sum(rejects.get(reason, 0) for reason in USABLE)
    share = rejected / members if rejected else 0.0
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(rejects.items()))
    files = f" Files: {', '.join(rejected_files)}." if rejected_files and rejected else ""
    ways_out = (
        f" `rolesynth rejects {shard}` lists all. Mend the files and run `rolesynth ingest PATH "
        f"--again`, drop the shard with `rolesynth forget {shard}`, or raise the bound."
    )
    passed = share <= max_share
    return CheckOutcome(
        passed=passed,
        value=share,
        threshold=max_share,
        description=f"Shard {shard}: {rejected} of {members} members rejected, "
        f"{share:.1%}; at most {max_share:.1%} may be. By reason: {reasons or 'none'}.{files}"
        f"{'' if passed else ways_out}",
        metadata={"rejected": rejected, "images": images, "rejects_by_reason": dict(rejects)},
    )


def no_benchmark_image(
    shard: str, image_ids: Collection[str], benchmark_ids: Mapping[str, Set[str]]
) -> CheckOutcome:
    """Check that no image of a benchmark is in a training shard, by sha256 of the file.

    A re-encoded copy has another hash and is not found.

    Args:
        shard: key of the training shard.
        image_ids: image ids of the shard.
        benchmark_ids: image ids of each benchmark, by the benchmark's name.
    """
    ids = set(image_ids)
    shared = {name: sorted(ids & theirs) for name, theirs in sorted(benchmark_ids.items())}
    found = {name: common for name, common in shared.items() if common}
    count = len({image for common in found.values() for image in common})
    where = ", ".join(f"{name} {len(common)}" for name, common in found.items())
    return CheckOutcome(
        passed=not count,
        value=count,
        threshold=0,
        description=f"Shard {shard}: {count} of {len(ids)} images are in a benchmark"
        f"{' (' + where + ')' if where else ''}; none may be.",
        metadata={
            "benchmarks": sorted(benchmark_ids),
            "examples": {name: common[:MAX_EXAMPLES] for name, common in found.items()},
        },
    )


def no_benchmark_copy(
    name: str, image_ids: Collection[str], copies: Mapping[str, str]
) -> CheckOutcome:
    """Check that no image shows the picture of a benchmark in other bytes.

    Pictures are compared by perceptual hash and coarse colours, which may take two shots of one
    scene for one picture; look at the examples.

    Args:
        name: name of the training set.
        image_ids: its images.
        copies: its images that show a benchmark's picture, with the benchmark's name.
    """
    of = Counter(copies.values())
    where = ", ".join(f"{benchmark} {count}" for benchmark, count in sorted(of.items()))
    return CheckOutcome(
        passed=not copies,
        value=len(copies),
        threshold=0,
        description=f"{name}: {len(copies)} of {len(set(image_ids))} images show the picture of a "
        f"benchmark{' (' + where + ')' if where else ''}; none should.",
        metadata={"examples": dict(sorted(copies.items())[:MAX_EXAMPLES])},
    )


def no_withdrawn_image(
    name: str, image_ids: Collection[str], withdrawn: Collection[str]
) -> CheckOutcome:
    """Check that no image of a training set has been withdrawn.

    Args:
        name: name of a recipe, or of a recipe with its seed.
        image_ids: images of the training set.
        withdrawn: ids of the images with a tombstone.
    """
    ids = set(image_ids)
    found = sorted(ids.intersection(withdrawn))
    return CheckOutcome(
        passed=not found,
        value=len(found),
        threshold=0,
        description=f"{name}: {len(found)} of {len(ids)} images were withdrawn; none may be.",
        metadata={"examples": found[:MAX_EXAMPLES]},
    )
