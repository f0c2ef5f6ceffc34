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
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import SEEDS

    rows = [
        {
            "seed_id": seed.seed_id,
            "domain": seed.domain,
            "problem": seed.problem,
            "answer": seed.answer,
            "ordinal": ordinal,
            "images": list(seed.images),
            "image_ids": " ".join(image_id(image) for image in seed.images),
            "source": seed.source,
        }
        for ordinal, seed in enumerate(seeds)
    ]
    return pa.Table.from_pylist(rows, schema=SEEDS.schema)


def seed_reject_rows(rejects: Sequence[SeedReject]) -> pa.Table:
    """Return rows of the table `seed_rejects`."""
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import SEED_REJECTS

    rows = [
        {
            "reject_id": reject.reject_id,
            "domain": reject.domain,
            "source": reject.source,
            "reason": str(reject.reason),
            "detail": reject.detail,
        }
        for reject in rejects
    ]
    return pa.Table.from_pylist(rows, schema=SEED_REJECTS.schema)


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
