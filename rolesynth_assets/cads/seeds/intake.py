"""Intake of a domain's seed files: reading, decontamination, and removal of withdrawn images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.cads.values import Seed

if TYPE_CHECKING:
    from rolesynth_assets.cads.seeds.decontamination import HeldOutItem
    from rolesynth_assets.store.lance.store import Store


@dataclass(frozen=True)
class SeedIntake:
    """Counts of a domain's seeds and rejects.

    Attributes:
        seeds: number of rows of the table ``seeds``.
        with_images: number of those with an image.
        rejects: number of rows of ``seed_rejects`` by reason.
    """

    seeds: int
    with_images: int
    rejects: Mapping[str, int]


def take_seeds(
    store: Store,
    path: Path,
    domain: str,
    benchmarks: Iterable[HeldOutItem],
    withdrawn: Mapping[str, str],
) -> SeedIntake:
    """Replace a domain's seeds and rejects with the rows of its files.

    Args:
        store: store of the partition of ``seeds`` and ``seed_rejects``.
        path: file or folder of the domain.
        domain: partition.
        benchmarks: items of benchmarks, which no seed may match.
        withdrawn: text of the tombstone by image id.

    Raises:
        SeedFileError: the file does not exist or gives no rows at all.
    """
    from rolesynth_assets.cads.seeds.decontamination import Decontaminator, decontaminated
    from rolesynth_assets.cads.seeds.read import SeedReject, read_seeds
    from rolesynth_assets.cads.seeds.rows import seed_reject_rows, seed_rows
    from rolesynth_assets.cads.seeds.withdrawn import without_withdrawn

    rows = list(
        without_withdrawn(
            decontaminated(read_seeds(path, domain), Decontaminator(benchmarks)), withdrawn
        )
    )
    seeds = [row for row in rows if isinstance(row, Seed)]
    rejects = [row for row in rows if isinstance(row, SeedReject)]
    where = {"domain": domain}
    store.replace("seed_rejects", where, seed_reject_rows(rejects), allow_empty=True)
    store.replace("seeds", where, seed_rows(seeds), allow_empty=True)
    return SeedIntake(
        seeds=len(seeds),
        with_images=sum(bool(seed.images) for seed in seeds),
        rejects=dict(Counter(str(reject.reason) for reject in rejects)),
    )
