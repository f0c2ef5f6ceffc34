"""From a domain's seed files to its rows: read, decontaminated, without what was withdrawn."""

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
    """What came of the seed files.

    Attributes:
        seeds: rows of the table ``seeds``.
        with_images: those that show an image.
        rejects: rows of ``seed_rejects`` by reason.
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
    """Make the seeds of a domain, and the rows that are none, what its files say.

    Args:
        store: gets the partition of ``seeds`` and ``seed_rejects``.
        path: file or folder of the domain.
        domain: partition.
        benchmarks: items that no seed may be.
        withdrawn: by image id, what the tombstone says.

    Raises:
        SeedFileError: the file is not there or gives no rows at all.
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
