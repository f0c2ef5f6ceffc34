"""Pins of training sets, from which the rows behind a checkpoint can be read later.

The tables change after a training. A pin records the Lance versions behind one content of a
training set, and the part of the recipe that decides whether a caption was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rolesynth_assets.clip.recipe import Cut, Recipe, Text
from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.rows import all_of, any_key
from rolesynth_assets.store.left_out import REASONS, TRAINABLE
from rolesynth_assets.training_sets.own_cut import DECIDED_BY, OwnCut, read_own_cut
from rolesynth_assets.training_sets.select import draw
from rolesynth_assets.training_sets.shards_left_out import outside

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.snapshot import TableReader
    from rolesynth_assets.store.small.tables import SmallTables

PINNED_TABLES = ("pairs", "images", "roles", "captions", "scores")
SPARE = 4
"""Factor by which `first_pinned_rows` reads more rows than requested. For 10 rows, 40 are expected
to be read, and fewer than 10 are found with a probability of 4 in 10^9 (Poisson)."""


@dataclass(frozen=True)
class Pin:
    """One content of a recipe's training set.

    Attributes:
        recipe: name of the recipe.
        digest: `TrainingSet.digest`, which the manifests of its checkpoints record.
        recipe_digest: `Recipe.digest` at that time.
        role_set: role set of the captions.
        cut: selection of the captions.
        lengths: length kinds.
        draw_seed: seed of the random cut.
        own: the recipe's own decision on the pairs; None if it took those of its role set.
        text: which part of each caption was trained on.
        draw_limits: for the random cut, the largest selected lot by length kind.
        versions: the Lance version of each of `PINNED_TABLES`.
        run_id: the run that made the training set.
        sizes: number of pairs by role and length kind.
        left_out: shards with pairs at that version that the manifest did not list.
    """

    recipe: str
    digest: str
    recipe_digest: str
    role_set: str
    cut: Cut
    lengths: tuple[str, ...]
    draw_seed: int
    versions: Mapping[str, int]
    run_id: str
    own: OwnCut | None = None
    text: Text = Text.WHOLE
    draw_limits: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def row(self) -> pl.DataFrame:
        """The row of the small table ``training_set_pins``."""
        import polars as pl

        limits = json.dumps(dict(self.draw_limits), sort_keys=True) if self.draw_limits else None
        values: dict[str, Any] = {
            "recipe": self.recipe,
            "digest": self.digest,
            "recipe_digest": self.recipe_digest,
            "role_set": self.role_set,
            "cut": str(self.cut),
            "lengths": " ".join(self.lengths),
            "draw_seed": self.draw_seed,
            "draw_limits": limits,
            "own_cut": self.own.to_json() if self.own else None,
            "trained_text": str(self.text),
            "left_out_shards": json.dumps(self.left_out) if self.left_out else None,
            **{f"{table}_version": self.versions[table] for table in PINNED_TABLES},
            "run_id": self.run_id,
        }
        optional: tuple[str, ...] = ("draw_limits", "own_cut", "left_out_shards")
        return pl.DataFrame([values], schema_overrides=dict.fromkeys(optional, pl.String))

    @property
    def candidates(self) -> str | None:
        """SQL predicate on ``pairs`` for the rows that decide what was selected."""
        if self.own is not None:
            return outside(self.left_out)
        more = {Cut.RANDOM: "score IS NOT NULL OR kept", Cut.SCORES: "kept"}.get(self.cut)
        lengths = any_key("length", self.lengths)
        return all_of(lengths, TRAINABLE, more, outside(self.left_out))


def pin_training_set(
    store: StoreReader,
    recipe: Recipe,
    pairs: pl.DataFrame,
    digest: str,
    version: int,
    run_id: str,
    left_out: Sequence[str] = (),
) -> Pin:
    """Pin a training set with the current versions of the tables.

    Args:
        store: the tables; captions, scores and images are those of their latest versions.
        recipe: the recipe.
        pairs: rows that the recipe selected (`selected_pairs`).
        digest: digest of the training set.
        version: the Lance version of ``pairs`` from which the rows were read.
        run_id: run that makes the training set.
        left_out: shards that were left out of the selection.
    """
    limits: dict[str, str] = {}
    if recipe.cut is Cut.RANDOM:
        lots = draw(recipe.draw_seed, pairs["caption_id"])
        for length, lot in zip(pairs["length"], lots, strict=True):
            limits[length] = max(limits.get(length, ""), lot)
    versions = {table: store.version(table) for table in PINNED_TABLES} | {"pairs": version}
    return Pin(
        recipe=recipe.name,
        digest=digest,
        recipe_digest=recipe.digest,
        role_set=recipe.role_set,
        cut=recipe.cut,
        lengths=recipe.lengths,
        draw_seed=recipe.draw_seed,
        versions=versions,
        run_id=run_id,
        own=read_own_cut(store, recipe, version, left_out),
        text=recipe.text,
        draw_limits=limits,
        sizes=sizes_of(pairs),
        left_out=tuple(left_out),
    )


def sizes_of(rows: pl.DataFrame) -> dict[tuple[str, str], int]:
    """Count rows by ``role`` and ``length``."""
    groups = rows.group_by("role", "length").len().sort("role", "length")
    return {(role, length): n for role, length, n in groups.iter_rows()}


def write_pin(store: Store, small: SmallTables, pin: Pin) -> None:
    """Store a pin, replacing an earlier one of the same recipe and content.

    Its versions are kept through every clean-up from now on, as far as they are still there.
    """
    for table, version in pin.versions.items():
        with suppress(MissingVersionError):
            store.keep_version(table, version)
    where = {"recipe": pin.recipe, "digest": pin.digest}
    small.replace("training_set_pins", where, pin.row)
    small.replace("training_set_sizes", where, _size_rows(pin))


def read_pins(small: TableReader) -> list[Pin]:
    """Return all pins, sorted by recipe and digest."""
    rows = small.read("training_set_pins").sort("recipe", "digest")
    sizes: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    stored = small.read("training_set_sizes").sort("role", "length")
    for row in stored.iter_rows(named=True):
        of = sizes.setdefault((row["recipe"], row["digest"]), {})
        of[row["role"], row["length"]] = row["pairs"]
    return [
        Pin(
            recipe=row["recipe"],
            digest=row["digest"],
            recipe_digest=row["recipe_digest"],
            role_set=row["role_set"],
            cut=Cut(row["cut"]),
            lengths=tuple(row["lengths"].split()),
            draw_seed=row["draw_seed"],
            versions={table: row[f"{table}_version"] for table in PINNED_TABLES},
            run_id=row["run_id"],
            own=OwnCut.from_json(row["own_cut"]) if row["own_cut"] else None,
            text=Text(row["trained_text"] or Text.WHOLE),  # null in rows of earlier versions
            draw_limits=json.loads(row["draw_limits"] or "{}"),
            sizes=sizes.get((row["recipe"], row["digest"]), {}),
            left_out=_left_out(row),
        )
        for row in rows.iter_rows(named=True)
    ]


def shards_not_trained_on(small: TableReader, recipe: str, digest: str) -> tuple[str, ...]:
    """Return the shards that one content of a recipe's training set leaves out."""
    pins = small.read("training_set_pins", {"recipe": recipe, "digest": digest})
    return next(map(_left_out, pins.iter_rows(named=True)), ())


def _left_out(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(json.loads(row["left_out_shards"] or "[]"))


def _size_rows(pin: Pin) -> pl.DataFrame:
    import polars as pl

    rows = [(pin.recipe, pin.digest, *group, n) for group, n in pin.sizes.items()]
    text = dict.fromkeys(("recipe", "digest", "role", "length"), pl.String)
    return pl.DataFrame(rows, schema={**text, "pairs": pl.Int64}, orient="row")


def pinned_rows(store: StoreReader, pin: Pin, version: int | None = None) -> pl.DataFrame:
    """Read the rows of a training set, each caption once, sorted by caption id.

    Args:
        store: the tables.
        pin: the training set.
        version: a Lance version of ``pairs``; by default the pinned one.

    Returns:
        ``caption_id``, ``image_id``, ``role``, ``length``.

    Raises:
        MissingVersionError: the version was purged.
    """
    return _chosen(store, pin, pin.candidates, version)


def first_pinned_rows(store: StoreReader, pin: Pin, limit: int) -> pl.DataFrame:
    """Read the first `limit` of `pinned_rows` without reading the rest.

    Caption ids are digests and thus uniform, so ids below a share of the id space select about that
    share of the rows.

    Raises:
        MissingVersionError: the version was purged.
    """
    share = SPARE * limit / max(1, sum(pin.sizes.values()))
    if share < 1 and not (pin.own and pin.own.needs_whole_images):
        below = f"caption_id < '{int(share * 16**8):08x}'"
        rows = _chosen(store, pin, all_of(pin.candidates, below))
        if rows.height >= limit:
            return rows.head(limit)
    return pinned_rows(store, pin).head(limit)


def _chosen(
    store: StoreReader, pin: Pin, where: str | None, version: int | None = None
) -> pl.DataFrame:
    import polars as pl

    columns = ["caption_id", "image_id", "role", "length"]
    version = pin.versions["pairs"] if version is None else version
    read = columns if pin.own is None else DECIDED_BY
    rows = pl.DataFrame(store.read("pairs", {"role_set": pin.role_set}, read, where, version))
    if pin.own is not None:
        rows = _taken(pin, pin.own.decide(rows)).select(columns)
    if pin.cut is Cut.RANDOM:
        lots = pl.Series(draw(pin.draw_seed, rows["caption_id"]), dtype=pl.String)
        limits = rows["length"].replace_strict(pin.draw_limits, default="", return_dtype=pl.String)
        rows = rows.filter(lots <= limits)
    return rows.unique("caption_id", keep="any").sort("caption_id")


def _taken(pin: Pin, decided: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that may have been selected, of rows with the recipe's own decision."""
    import polars as pl

    by_hand = pl.col("reason").is_in(REASONS).fill_null(False)
    more = {Cut.RANDOM: pl.col("score").is_not_null() | pl.col("kept"), Cut.SCORES: pl.col("kept")}
    of_length = pl.col("length").is_in(list(pin.lengths))
    return decided.filter(of_length & ~by_hand & more.get(pin.cut, pl.lit(True)))


def chosen_captions(pin: Pin, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return which of some captions a training set contains.

    Args:
        pin: the training set.
        rows: rows of ``pairs`` of the pin's role set and version, with `DECIDED_BY`: all those of
            each caption, and, if ``pin.own`` needs whole images, all those of its image.
    """
    listed = [row for row in rows if row["shard"] not in pin.left_out]
    decided = pin.own.decide_rows(listed) if pin.own else listed
    by_caption: dict[str, list[Mapping[str, Any]]] = {}
    for row in decided:
        by_caption.setdefault(row["caption_id"], []).append(row)
    return {caption for caption, same in by_caption.items() if trained_on(pin, same)}


def trained_on(pin: Pin, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a training set contains a caption, without reading any other caption.

    Args:
        pin: the training set.
        rows: all rows of the caption in ``pairs`` of the pin's role set and version, one a shard:
            ``caption_id``, ``length``, ``score``, ``reason``, and ``kept`` as the pin's recipe
            decides it.
    """
    of_length = [
        row for row in rows if row["length"] in pin.lengths and row["reason"] not in REASONS
    ]
    if not of_length:
        return False
    if pin.cut is Cut.ALL:
        return True
    if pin.cut is Cut.SCORES:
        return any(row["kept"] for row in of_length)  # one shard that kept it is enough
    first = of_length[0]
    limit = pin.draw_limits.get(first["length"], "")
    scored = any(row["score"] is not None or row["kept"] for row in of_length)
    return scored and draw(pin.draw_seed, [first["caption_id"]])[0] <= limit
