"""The facts of a dataset card, gathered from the tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.embedded.world.filter_quality import FilterQuality, quality_from_rows
from rolesynth_assets.embedded.world.write import LICENCE, read_truth
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.mllm.stand_in import NANO
from rolesynth_assets.pairs.diversity import Diversity
from rolesynth_assets.pairs.diversity_rows import diversity_of_shards
from rolesynth_assets.reports.dataset_card import DatasetCard, LengthRow, RoleRow, Source
from rolesynth_assets.roles.role_set import RoleSet
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.warehouse.warehouse import Warehouse

STAND_INS = {NANO}


def gather_card(
    store: StoreReader, warehouse: Warehouse, role_set: RoleSet, settings: Settings
) -> DatasetCard:
    """Gather the facts of a role set's card from its rows, its cut and its measurements.

    Raises:
        ValueError: the role set has no pairs.
    """
    where = {"role_set": role_set.name}
    pairs = pl.DataFrame(store.read("pairs", where))
    if pairs.is_empty():
        raise ValueError(f"role set {role_set.name!r} has no pairs: materialize filtered_pairs")
    captions = pl.DataFrame(
        store.read("captions", where, ["image_id", "reason", "model", "revision"])
    )
    judges = pl.DataFrame(store.read("scores", where, ["judge", "judge_revision"])).unique()
    expertise = dict(pl.DataFrame(store.read("roles", where, ["name", "expertise"])).iter_rows())
    cuts = warehouse.read("cutoffs", where)
    truth = read_truth(settings.data_root)
    quality = quality_from_rows(warehouse.read("filter_quality", where))
    diversity = diversity_of_shards(warehouse.read("diversity", where), set(pairs["shard"]))
    failed = captions.filter(pl.col("reason").is_not_null())
    dropped = pl.concat([failed.select("reason"), pairs.select("reason").drop_nulls()])
    return DatasetCard(
        role_set=role_set.name,
        description=role_set.description,
        images=pairs.filter("kept")["image_id"].n_unique(),
        images_total=captions["image_id"].n_unique(),
        roles=[
            RoleRow(name, expertise.get(name, ""), of.height, int(of["kept"].sum()))
            for (name,), of in pairs.sort("role").group_by("role", maintain_order=True)
        ],
        lengths=[
            _length(name, of, cuts)
            for (name,), of in pairs.sort("length").group_by("length", maintain_order=True)
        ],
        captioner=_identity(captions["model"][0], captions["revision"][0]),
        judge=_identity(*judges.row(0)) if judges.height else None,
        keep_share=float(cuts["keep_share"][0]) if cuts.height else None,
        floor_per_image=int(cuts["floor_per_image"][0] or 0) if cuts.height else 0,
        sources=_sources(set(captions["image_id"]), set(truth), settings.licence),
        dropped=dict(dropped.group_by("reason").len().sort("reason").iter_rows()),
        diversity=_measures(diversity),
        filter_quality=_measures(quality),
        digest=store.digest("pairs", where),
    )


def _sources(images: set[str], embedded: set[str], licence: str) -> list[Source]:
    """Return the embedded world and the user's own images, each only if it provides images."""
    sources = [Source("Embedded world", LICENCE)] if images & embedded else []
    return [*sources, Source("Images", licence)] if images - embedded else sources


def _measures(found: Diversity | FilterQuality | None) -> dict[str, float]:
    """Return the measured values, without the counts beside them."""
    values = asdict(found) if found else {}
    return {name: value for name, value in values.items() if isinstance(value, float)}


def _length(name: object, rows: pl.DataFrame, cuts: pl.DataFrame) -> LengthRow:
    kept = rows.filter("kept")
    words = kept["text"].str.split(" ").list.len()
    cut = cuts.filter(pl.col("length") == name)["cutoff"].to_list()
    return LengthRow(
        length=str(name),
        captions=rows.height,
        kept=kept.height,
        cutoff=cut[0] if cut else None,
        mean_words=float(words.mean() or 0.0),  # type: ignore[arg-type]
        min_words=int(words.min() or 0),  # type: ignore[arg-type]
        max_words=int(words.max() or 0),  # type: ignore[arg-type]
    )


def _identity(model: str, revision: str) -> ModelIdentity:
    stand_in = model in STAND_INS
    return ModelIdentity("embedded" if stand_in else "", model, revision, stand_in)
