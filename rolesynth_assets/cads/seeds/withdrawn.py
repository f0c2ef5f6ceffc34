"""Rejection of seeds that show a withdrawn image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.store.digests import image_id


def without_withdrawn(
    rows: Iterable[Seed | SeedReject], withdrawn: Mapping[str, str]
) -> Iterator[Seed | SeedReject]:
    """Turn each seed that shows a withdrawn image into a `SeedReject`; yield the rest as is.

    Args:
        rows: seeds and rejects.
        withdrawn: text of the tombstone by image id.
    """
    for row in rows:
        images = row.images if isinstance(row, Seed) else ()
        said = [withdrawn[i] for i in map(image_id, images) if i in withdrawn]
        if said:
            yield SeedReject(row.domain, row.source, SeedReason.WITHDRAWN, said[0])
        else:
            yield row
