"""The schemas of the small tables in the warehouse: cut-offs, manifests, training sets, scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rolesynth_assets.store.errors import StoreError

SqlType = Literal["VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN"]


@dataclass(frozen=True)
class Column:
    """One column, which every row must have unless it is `optional`."""

    name: str
    kind: SqlType
    optional: bool = False


@dataclass(frozen=True)
class WarehouseTable:
    """One DuckDB table."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)


def _table(name: str, **columns: SqlType | tuple[SqlType, Literal["optional"]]) -> WarehouseTable:
    return WarehouseTable(
        name,
        tuple(
            Column(column, kind) if isinstance(kind, str) else Column(column, kind[0], True)
            for column, kind in columns.items()
        ),
    )


_SCORES: dict[str, SqlType | tuple[SqlType, Literal["optional"]]] = {
    "recipe": "VARCHAR",
    "seed": "BIGINT",
    "benchmark": "VARCHAR",
    "metric": "VARCHAR",
    "value": "DOUBLE",
    "low": "DOUBLE",  # bootstrap interval
    "high": "DOUBLE",
    "chance": ("DOUBLE", "optional"),
    "n": "BIGINT",
    "checkpoint_digest": "VARCHAR",
    "run_id": "VARCHAR",
}
"""Columns of a table of scores, with one row for each recipe, seed, benchmark and metric."""

WAREHOUSE_TABLES: dict[str, WarehouseTable] = {
    table.name: table
    for table in (
        _table(
            "cutoffs",
            role_set="VARCHAR",
            length="VARCHAR",
            keep_share="DOUBLE",
            floor_per_image=("INTEGER", "optional"),
            centred=("BOOLEAN", "optional"),  # whether `cutoff` is a distance from image means
            cutoff=("INTEGER", "optional"),  # lowest kept score, null if nothing was kept
            last_id=("VARCHAR", "optional"),  # last caption kept among those that score `cutoff`
            last_shard=("VARCHAR", "optional"),
            candidates="BIGINT",
            unscored=("BIGINT", "optional"),
            kept="BIGINT",
            floor_kept=("BIGINT", "optional"),
            images=("BIGINT", "optional"),  # of the role set, whatever the length kind
            images_covered=("BIGINT", "optional"),
            scores_digest="VARCHAR",
        ),
        _table(
            "cutoff_roles",
            role_set="VARCHAR",
            role="VARCHAR",
            length="VARCHAR",
            candidates="BIGINT",
            kept="BIGINT",
        ),
        _table(  # one row for each shard with captions that can be compared with each other
            "diversity",
            role_set="VARCHAR",
            shard="VARCHAR",
            distinct_1="DOUBLE",
            distinct_2="DOUBLE",
            self_bleu="DOUBLE",
            mean_pairwise_similarity="DOUBLE",
            vendi_score="DOUBLE",
            n_images="BIGINT",
            n_groups="BIGINT",
            n_captions="BIGINT",
            draw_seed="BIGINT",
            texts_digest="VARCHAR",  # of the captions measured and the measure
        ),
        _table(  # one row for each role set whose truth is known
            "filter_quality",
            role_set="VARCHAR",
            captions="BIGINT",
            true_share="DOUBLE",
            object_precision="DOUBLE",
            precision="DOUBLE",
            recall="DOUBLE",
            random_precision="DOUBLE",
            random_recall="DOUBLE",
            random_low="DOUBLE",
            random_high="DOUBLE",
        ),
        _table(
            "manifests",
            role_set="VARCHAR",
            shard="VARCHAR",
            pairs_digest="VARCHAR",
            pairs_version="BIGINT",
            kept="BIGINT",
            candidates="BIGINT",
            images="BIGINT",
        ),
        _table(
            "training_sets",
            recipe="VARCHAR",
            role_set="VARCHAR",
            cut="VARCHAR",
            pairs="BIGINT",
            images="BIGINT",
            pairs_version="BIGINT",
            digest="VARCHAR",
            recipe_digest="VARCHAR",
        ),
        _table("benchmark_scores", **_SCORES),
        _table("r1_scores", **_SCORES),
        _table(  # one row for each content that a recipe's training set ever had
            "training_set_pins",
            recipe="VARCHAR",
            digest="VARCHAR",
            recipe_digest="VARCHAR",
            role_set="VARCHAR",
            cut="VARCHAR",
            lengths="VARCHAR",  # joined by spaces
            draw_seed="BIGINT",
            draw_limits=("VARCHAR", "optional"),  # random cut: the last draw by length, as JSON
            own_cut=("VARCHAR", "optional"),  # the recipe's own decision on the pairs, as JSON
            trained_text=("VARCHAR", "optional"),  # which part of each caption was trained on
            left_out_shards=("VARCHAR", "optional"),  # not in the manifest, as JSON
            pairs_version="BIGINT",  # Lance versions from which its rows come
            images_version="BIGINT",
            roles_version="BIGINT",
            captions_version="BIGINT",
            scores_version="BIGINT",
            run_id="VARCHAR",
        ),
        _table(  # number of pairs in each of those contents
            "training_set_sizes",
            recipe="VARCHAR",
            digest="VARCHAR",
            role="VARCHAR",
            length="VARCHAR",
            pairs="BIGINT",
        ),
        _table(  # one row for each finished training, also if its checkpoint was overwritten
            "trainings",
            recipe="VARCHAR",
            seed="BIGINT",
            weights_digest="VARCHAR",
            training_set_digest="VARCHAR",
            run_id="VARCHAR",
        ),
        _table(
            "r1_trainings",
            recipe="VARCHAR",
            seed="BIGINT",
            weights_digest="VARCHAR",
            data_digest="VARCHAR",
            run_id="VARCHAR",
        ),
        _table(  # the problems or seeds behind one `data_digest`
            "r1_items",
            data_digest="VARCHAR",
            item_id="VARCHAR",
        ),
        _table(
            "tombstones",
            image_id="VARCHAR",
            reason="VARCHAR",
            withdrawn_at="VARCHAR",  # ISO 8601, UTC
            shards="VARCHAR",  # shards that held it, joined by spaces
            sources="VARCHAR",  # sources of its bytes, one a line
        ),
        _table(  # artefacts that held a withdrawn image; kept after its rows are deleted
            "tombstone_artefacts",
            image_id="VARCHAR",
            kind="VARCHAR",
            artefact="VARCHAR",  # such as roles5|0
            digest="VARCHAR",
        ),
    )
}


def warehouse_table(name: str) -> WarehouseTable:
    """Return the schema of a table by name.

    Raises:
        StoreError: there is no such table; the message lists the tables.
    """
    if name not in WAREHOUSE_TABLES:
        raise StoreError(f"No table {name!r} in the warehouse; there are: {[*WAREHOUSE_TABLES]}.")
    return WAREHOUSE_TABLES[name]
