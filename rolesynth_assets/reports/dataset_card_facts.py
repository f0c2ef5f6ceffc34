"""The facts of a dataset card, gathered from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from rolesynth_assets.embedded.world.filter_quality import FilterQuality, quality_from_rows
from rolesynth_assets.embedded.world.write import LICENCE, read_truth
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.mllm.stand_in import NANO
from rolesynth_assets.pairs.diversity import Diversity
from rolesynth_assets.pairs.diversity_rows import diversity_of_shards
from rolesynth_assets.reports.dataset_card import DatasetCard, LengthRow, RoleRow, Source
from rolesynth_assets.reports.dataset_card_counts import count_card
from rolesynth_assets.roles.role_set import RoleSet
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables

STAND_INS = {NANO}


def gather_card(
    store: StoreReader, small: SmallTables, role_set: RoleSet, settings: Settings
) -> DatasetCard:
    """Gather the facts of a role set's card from its rows, its cut and its measurements.

    Raises:
        ValueError: the role set has no pairs.
    """
    where = {"role_set": role_set.name}
    counts = count_card(store, role_set.name)
    expertise = dict(pl.DataFrame(store.read("roles", where, ["name", "expertise"])).iter_rows())
    cuts = small.read("cutoffs", where)
    truth = read_truth(settings.data_root)
    quality = quality_from_rows(small.read("filter_quality", where))
    diversity = diversity_of_shards(small.read("diversity", where), counts.shards)
    return DatasetCard(
        role_set=role_set.name,
        description=role_set.description,
        images=counts.kept_images,
        images_total=len(counts.images),
        roles=[
            RoleRow(row["role"], expertise.get(row["role"], ""), row["captions"], row["kept"])
            for row in counts.by("role").iter_rows(named=True)
        ],
        lengths=[_length(row, cuts) for row in counts.by("length").iter_rows(named=True)],
        captioner=_identity(*(counts.captioner or ("", ""))),
        judge=_identity(*counts.judge) if counts.judge else None,
        keep_share=float(cuts["keep_share"][0]) if cuts.height else None,
        floor_per_image=int(cuts["floor_per_image"][0] or 0) if cuts.height else 0,
        sources=_sources(counts.images, set(truth), settings.licence),
        dropped=counts.dropped,
        diversity=_measures(diversity),
        filter_quality=_measures(quality),
        digest=counts.digest,
    )


def _sources(images: pl.Series, embedded: set[str], licence: str) -> list[Source]:
    """Return the embedded world and the user's own images, each only if it provides images."""
    known = images.is_in(list(embedded)) if embedded else pl.Series([False])
    sources = [Source("Embedded world", LICENCE)] if known.any() else []
    return sources if known.all() else [*sources, Source("Images", licence)]


def _measures(found: Diversity | FilterQuality | None) -> dict[str, float]:
    """Return the measured values, without the counts beside them."""
    values = asdict(found) if found else {}
    return {name: value for name, value in values.items() if isinstance(value, float)}


def _length(row: Mapping[str, Any], cuts: pl.DataFrame) -> LengthRow:
    mine = cuts.filter(pl.col("length") == row["length"])
    cut = [] if mine.height and mine["centred"][0] else mine["cutoff"].to_list()
    return LengthRow(
        length=row["length"],
        captions=row["captions"],
        kept=row["kept"],
        cutoff=cut[0] if cut else None,
        mean_words=row["words"] / row["kept"] if row["kept"] else 0.0,
        min_words=row["least"] or 0,
        max_words=row["most"] or 0,
    )


def _identity(model: str, revision: str) -> ModelIdentity:
    stand_in = model in STAND_INS
    return ModelIdentity("embedded" if stand_in else "", model, revision, stand_in)
