"""Conversion of seeds and rejects to rows of `seeds` and `seed_rejects`, and of seeds back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cads.seeds.read import SeedReject
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.store.digests import image_id

if TYPE_CHECKING:
    import pyarrow as pa


def seed_rows(seeds: Sequence[Seed]) -> pa.Table:
    """Return rows of the table `seeds`; `ordinal` is the order in which they were read."""
    from rolesynth_assets.store.lance.records import rows_of
    from rolesynth_assets.store.lance.schemas import SEEDS

    shown = [" ".join(image_id(image) for image in seed.images) for seed in seeds]
    return rows_of(SEEDS, seeds, ordinal=[*range(len(seeds))], image_ids=shown)


def seed_reject_rows(rejects: Sequence[SeedReject]) -> pa.Table:
    """Return rows of the table `seed_rejects`."""
    from rolesynth_assets.store.lance.records import rows_of
    from rolesynth_assets.store.lance.schemas import SEED_REJECTS

    return rows_of(SEED_REJECTS, rejects)


def seeds_from_rows(rows: pa.Table) -> list[Seed]:
    """Return the seeds of rows of the table `seeds`, in the order in which they were read."""
    return [
        Seed(
            seed_id=row["seed_id"],
            domain=row["domain"],
            problem=row["problem"],
            answer=row["answer"],
            images=tuple(row["images"]),
            source=row["source"],
        )
        for row in rows.sort_by("ordinal").to_pylist()
    ]
