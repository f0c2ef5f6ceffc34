"""Lookup of the row or partition that `rolesynth trace SUBJECT` names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.images.descriptor import is_url
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.rows import sql_quoted
from rolesynth_assets.store.lance.schemas import TABLES, table_spec

if TYPE_CHECKING:
    from rolesynth_assets.lineage.trace.sources import Sources

WHOLE = hashlib.sha256().digest_size * 2
"""Number of hex characters of a whole id."""
LEAST = 6
"""Characters of an abbreviated id."""
_SHOWN_WITH_OTHERS = ("pairs", "contexts")
"""Tables whose rows are shown in traces of captions and candidates, without ids of their own."""
ASSETS = ("training_sets", "clip_checkpoints", "benchmark_scores", "r1_checkpoints", "r1_scores")
"""Assets whose partitions can be traced."""
_DIGESTS = (
    ("trainings", "weights_digest", "clip_checkpoints", ("recipe", "seed")),
    ("training_set_pins", "digest", "training_sets", ("recipe",)),
    ("r1_trainings", "weights_digest", "r1_checkpoints", ("recipe", "seed")),
    ("r1_trainings", "data_digest", "r1_checkpoints", ("recipe", "seed")),
)
"""Small tables with digests that pages show, and the partitions that have them."""
_PARTITION = re.compile(r"^(?P<asset>[a-z0-9_]+)\[(?P<key>[^\]]+)\]$")
_ID = re.compile(rf"^(?:(?P<kind>[a-z_]+):)?(?P<key>[0-9a-fA-F]{{{LEAST},{WHOLE}}})$")


class SubjectError(ValueError):
    """A text names nothing, or more than one thing; the message lists valid subjects."""


@dataclass(frozen=True)
class Subject:
    """A row by table and key, or a partition by asset and key."""

    table: str
    key: str


def tables_by_kind() -> dict[str, str]:
    """Return the tables that are searched for an id, in this order.

    Images, roles and all tables that refer to others, by what `KIND:ID` calls their rows.
    """
    return {
        spec.row: name
        for name, spec in TABLES.items()
        if name not in _SHOWN_WITH_OTHERS and (name in ("images", "roles") or spec.of)
    }


def find_subject(sources: Sources, text: str) -> Subject:
    """Find the row or partition that `text` names.

    Args:
        sources: the tables to search.
        text: an id or its first characters, ``KIND:ID``, an image file, the URL from which an image
            was read, or ``asset[partition]``.

    Raises:
        SubjectError: the text names nothing that is stored, or several things.
    """
    if named := _PARTITION.match(text):
        if named["asset"] not in ASSETS:
            raise SubjectError(
                f"{named['asset']!r} cannot be traced by partition; {', '.join(ASSETS)} can, and "
                "rows by their id."
            )
        return Subject(named["asset"], named["key"])
    if Path(text).is_file():
        return Subject("images", image_id(Path(text).read_bytes()))
    if is_url(text):
        return _read_from(sources, text)
    found = _ID.match(text)
    tables = tables_by_kind()
    if not found or (found["kind"] and found["kind"] not in tables):
        raise SubjectError(
            f"{text!r} is neither a file, nor an id of {LEAST} to {WHOLE} hex digits "
            f"({', '.join(f'{kind}:' for kind in tables)} may precede it), nor a partition "
            f"such as clip_checkpoints[roles5|0] or benchmark_scores[glyphs|roles5]."
        )
    searched = [tables[found["kind"]]] if found["kind"] else list(tables.values())
    return _search(sources, searched, found["key"].lower())


def _read_from(sources: Sources, url: str) -> Subject:
    rows = sources.store.read("images", None, ["image_id"], f"source = {sql_quoted(url)}")
    found = {*rows["image_id"].to_pylist()}
    found |= {image for image, stone in sources.tombstones.items() if url in stone.sources}
    if len(found) > 1:
        raise SubjectError(f"{len(found)} images were read from {url}: {', '.join(sorted(found))}")
    if not found:
        raise SubjectError(f"No image was read from {url}; a tar member is URL::MEMBER.")
    return Subject("images", found.pop())


def _search(sources: Sources, tables: list[str], key: str) -> Subject:
    for table in tables:
        column = table_spec(table).key
        whole = len(key) == WHOLE
        where = (
            f"{column} = {sql_quoted(key)}" if whole else f"{column} LIKE {sql_quoted(key + '%')}"
        )
        keys = set(sources.store.read(table, None, [column], where)[column].to_pylist())
        if len(keys) > 1:
            shown = ", ".join(sorted(keys)[:5])
            raise SubjectError(f"{key} is the beginning of {len(keys)} ids in {table}: {shown}")
        if keys:
            return Subject(table, keys.pop())
    if len(tables) > 1 and (made := _by_digest(sources, key)):
        return made
    if "images" in tables:  # of a withdrawn image, a seed or a candidate: in no row of `images`
        gone = [image for image in sources.tombstones if image.startswith(key)]
        if len(gone) == 1 or len(key) == WHOLE:
            return Subject("images", gone[0] if gone else key)
    others = ", no checkpoint and no training set" if len(tables) > 1 else ""
    raise SubjectError(f"No row of {', '.join(tables)}{others} has an id that begins with {key}.")


def _by_digest(sources: Sources, key: str) -> Subject | None:
    """Find a checkpoint or a training set by the digest that pages show of it.

    Raises:
        SubjectError: several have digests that begin so.
    """
    found: dict[Subject, None] = {}
    for table, column, asset, parts in _DIGESTS:
        rows = sources.small.read(table)
        for row in rows.filter(rows[column].str.starts_with(key)).iter_rows(named=True):
            found[Subject(asset, "|".join(str(row[part]) for part in parts))] = None
    if len(found) > 1:
        named = ", ".join(f"{subject.table}[{subject.key}]" for subject in found)
        raise SubjectError(f"{key} is the content of {len(found)} partitions, name one: {named}")
    return next(iter(found), None)
