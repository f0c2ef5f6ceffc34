"""The schemas of the small tables: cut-offs, manifests, training sets, scores, tombstones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rolesynth_assets.store.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["string", "int32", "int64", "double", "bool"]
"""Types of columns, as Arrow names them."""


@dataclass(frozen=True)
class Column:
    """One column, which every row must have unless it is `optional`."""

    name: str
    kind: Kind
    optional: bool = False


@dataclass(frozen=True)
class SmallTable:
    """What one small table holds."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """The columns as Arrow's."""
        import pyarrow as pa

        return pa.schema(
            [pa.field(c.name, pa.type_for_alias(c.kind), c.optional) for c in self.columns]
        )


def _table(name: str, **columns: Kind | tuple[Kind, Literal["optional"]]) -> SmallTable:
    return SmallTable(
        name,
        tuple(
            Column(column, kind) if isinstance(kind, str) else Column(column, kind[0], True)
            for column, kind in columns.items()
        ),
    )


_SCORES: dict[str, Kind | tuple[Kind, Literal["optional"]]] = {
    "recipe": "string",
    "seed": "int64",
    "benchmark": "string",
    "metric": "string",
    "value": "double",
    "low": "double",  # bootstrap interval
    "high": "double",
    "chance": ("double", "optional"),
    "n": "int64",
    "checkpoint_digest": "string",
    "run_id": "string",
}
"""Columns of a table of scores, with one row for each recipe, seed, benchmark and metric."""

SMALL_TABLES: dict[str, SmallTable] = {
    table.name: table
    for table in (
        _table(
            "cutoffs",
            role_set="string",
            length="string",
            keep_share="double",
            floor_per_image=("int32", "optional"),
            centred=("bool", "optional"),  # whether `cutoff` is a distance from image means
            cutoff=("int32", "optional"),  # lowest kept score, null if nothing was kept
            last_id=("string", "optional"),  # last caption kept among those that score `cutoff`
            last_shard=("string", "optional"),
            candidates="int64",
            unscored=("int64", "optional"),
            kept="int64",
            floor_kept=("int64", "optional"),
            images=("int64", "optional"),  # of the role set, whatever the length kind
            images_covered=("int64", "optional"),
            scores_digest="string",
        ),
        _table(
            "cutoff_roles",
            role_set="string",
            role="string",
            length="string",
            candidates="int64",
            kept="int64",
        ),
        _table(  # one row for each shard with captions that can be compared with each other
            "diversity",
            role_set="string",
            shard="string",
            distinct_1="double",
            distinct_2="double",
            self_bleu="double",
            mean_pairwise_similarity="double",
            vendi_score="double",
            n_images="int64",
            n_groups="int64",
            n_captions="int64",
            draw_seed="int64",
            texts_digest="string",  # of the captions measured and the measure
        ),
        _table(  # one row for each role set whose truth is known
            "filter_quality",
            role_set="string",
            captions="int64",
            true_share="double",
            object_precision="double",
            precision="double",
            recall="double",
            random_precision="double",
            random_recall="double",
            random_low="double",
            random_high="double",
        ),
        _table(
            "manifests",
            role_set="string",
            shard="string",
            pairs_digest="string",
            pairs_version="int64",
            kept="int64",
            candidates="int64",
            images="int64",
        ),
        _table(
            "training_sets",
            recipe="string",
            role_set="string",
            cut="string",
            pairs="int64",
            images="int64",
            pairs_version="int64",
            digest="string",
            recipe_digest="string",
        ),
        _table("benchmark_scores", **_SCORES),
        _table("r1_scores", **_SCORES),
        _table(  # one row for each content that a recipe's training set ever had
            "training_set_pins",
            recipe="string",
            digest="string",
            recipe_digest="string",
            role_set="string",
            cut="string",
            lengths="string",  # joined by spaces
            draw_seed="int64",
            draw_limits=("string", "optional"),  # random cut: the last draw by length, as JSON
            own_cut=("string", "optional"),  # the recipe's own decision on the pairs, as JSON
            trained_text=("string", "optional"),  # which part of each caption was trained on
            left_out_shards=("string", "optional"),  # not in the manifest, as JSON
            pairs_version="int64",  # Lance versions from which its rows come
            images_version="int64",
            roles_version="int64",
            captions_version="int64",
            scores_version="int64",
            run_id="string",
        ),
        _table(  # number of pairs in each of those contents
            "training_set_sizes",
            recipe="string",
            digest="string",
            role="string",
            length="string",
            pairs="int64",
        ),
        _table(  # one row for each finished training, also if its checkpoint was overwritten
            "trainings",
            recipe="string",
            seed="int64",
            weights_digest="string",
            training_set_digest="string",
            run_id="string",
        ),
        _table(
            "r1_trainings",
            recipe="string",
            seed="int64",
            weights_digest="string",
            data_digest="string",
            run_id="string",
        ),
        _table(  # the problems or seeds behind one `data_digest`
            "r1_items",
            data_digest="string",
            item_id="string",
        ),
        _table(
            "tombstones",
            image_id="string",
            reason="string",
            withdrawn_at="string",  # ISO 8601, UTC
            shards="string",  # shards that held it, joined by spaces
            sources="string",  # sources of its bytes, one a line
        ),
        _table(  # artefacts that held a withdrawn image; kept after its rows are deleted
            "tombstone_artefacts",
            image_id="string",
            kind="string",
            artefact="string",  # such as roles5|0
            digest="string",
        ),
    )
}


def small_table(name: str) -> SmallTable:
    """Return the schema of a table by name.

    Raises:
        StoreError: there is no such table; the message lists the tables.
    """
    if name not in SMALL_TABLES:
        raise StoreError(f"No small table {name!r}; there are: {[*SMALL_TABLES]}.")
    return SMALL_TABLES[name]
