"""Nodes of a trace for the rows from an image to its pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, TraceBuilder
from rolesynth_assets.lineage.trace.sources import (
    Row,
    Sources,
    excerpt,
    facts,
    listed,
    sampling,
    short,
)
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.tombstones import Tombstone

_SEPARATOR = re.compile(r"/|::")  # separates the parts of a source's path, and the tar member


def add_images(
    sources: Sources, trace: TraceBuilder, ids: Sequence[str], version: int | None = None
) -> None:
    """Add images; one that is no longer stored is read from `version`, or added by its id alone."""
    by_id = _by(sources.keyed("images", "image_id", ids), "image_id")
    gone = [i for i in ids if i not in by_id]
    earlier = _by(_at(sources, trace, "images", "image_id", gone, version), "image_id")
    for image in dict.fromkeys(ids):
        rows = by_id.get(image) or earlier.get(image, [])
        trace.add(_image_node(image, rows, sources.tombstones.get(image)))


def add_captions(
    sources: Sources, trace: TraceBuilder, rows: Sequence[Row], roles_version: int | None = None
) -> None:
    """Add captions with the roles that wrote them; the images must have been added before."""
    fingerprints = {row["role_fingerprint"] for row in rows}
    roles = _by(sources.keyed("roles", "role_fingerprint", fingerprints), "role_fingerprint")
    gone = fingerprints - set(roles)
    roles |= _by(
        _at(sources, trace, "roles", "role_fingerprint", gone, roles_version), "role_fingerprint"
    )
    for caption, same in _by(rows, "caption_id").items():
        row = same[0]
        role = roles.get(row["role_fingerprint"])
        node = _caption_node(caption, same, _role(role[0]) if role else None)
        causes = (_add_role(trace, row, role), NodeId(Kind.IMAGE, row["image_id"]))
        trace.add(node, causes=causes)


def add_scores(sources: Sources, trace: TraceBuilder, rows: Sequence[Row]) -> None:
    """Add scores; the captions must have been added before."""
    for score, same in _by(rows, "score_id").items():
        row = same[0]
        given = f"{row['score']} of 100" if row["score"] is not None else f"none: {row['reason']}"
        trace.add(
            Node(
                NodeId(Kind.SCORE, score),
                f"{short(score)} {given} {excerpt(row['rationale'], 60)}".rstrip(),
                facts(
                    ("score", given),
                    ("rationale", row["rationale"]),
                    ("detail", row["detail"]),
                    ("judge", f"{row['judge']}@{row['judge_revision']}"),
                    ("judge prompt", short(row["prompt_fingerprint"])),
                    ("partition", listed(f"{r['shard']}|{r['role_set']}" for r in same)),
                ),
                run_id=row["run_id"],
            ),
            causes=(NodeId(Kind.CAPTION, row["caption_id"]),),
        )


def add_pairs(
    sources: Sources, trace: TraceBuilder, rows: Sequence[Row], version: int | None = None
) -> list[NodeId]:
    """Add the filter's decisions, caused by caption and score.

    Args:
        sources: the stored state.
        trace: the trace to extend.
        rows: rows of the ``pairs`` table.
        version: version from which they were read, if it is not the latest.
    """
    made = []
    for row in rows:
        decision = "kept" if row["kept"] else f"dropped: {row['reason']}"
        of = f" of version {version}" if version is not None else ""
        key = "|".join((row["caption_id"], row["role_set"], row["shard"]))
        caption = NodeId(Kind.CAPTION, row["caption_id"])
        node = Node(
            NodeId(Kind.PAIR, f"{key}{of}"),
            f"{decision} in {row['shard']}|{row['role_set']}{of}",
            facts(
                ("decision", decision),
                ("score", row["score"]),
                ("cut", _cut(sources, row) if version is None else ""),
                ("partition", f"{row['shard']}|{row['role_set']}"),
                ("lance version", version),
            ),
        )
        made.append(trace.add(node, causes=tuple(trace.effects(caption, Kind.SCORE)) or (caption,)))
    return made


def _image_node(image: str, rows: Sequence[Row], tombstone: Tombstone | None) -> Node:
    known = [row["source"] for row in rows] or (tombstone.sources if tombstone else ())
    shards = [row["shard"] for row in rows] or (tombstone.shards if tombstone else ())
    first = rows[0] if rows else None
    return Node(
        NodeId(Kind.IMAGE, image),
        f"{short(image)} {_SEPARATOR.split(known[0])[-1] if known else 'no longer stored'}",
        facts(
            ("sha256", image),
            ("source", listed(known)),
            ("shard", listed(shards)),
            ("size", f"{first['width']} x {first['height']} px" if first else ""),
            ("stored as", f"{first['media_type']}, {first['bytes']:,} bytes" if first else ""),
        ),
        warning=tombstone.says if tombstone else "",
    )


def _cut(sources: Sources, row: Row) -> str:
    """Return a description of the current cut for a pair; empty if there is none."""
    for cut in sources.cutoffs:
        mine = cut["role_set"] == row["role_set"] and cut["length"] in (row["length"], "all")
        if mine and not cut["keep_share"]:
            return f"the best {cut['floor_per_image']} of each image and length kind"
        if mine and cut["cutoff"] is not None:
            share = f"{cut['keep_share']:.0%} of {cut['candidates']:,}"
            at = cut["cutoff"]
            if cut["centred"]:
                at = f"{at / 100:+.2f} from the mean score of its image"
            return f"at {at} for {cut['length']} captions, which keeps {share}"
    return ""


def _caption_node(caption: str, same: Sequence[Row], role: Role | None) -> Node:
    row = same[0]
    said = row["text"] if row["text"] is not None else f"none: {row['reason']}"
    return Node(
        NodeId(Kind.CAPTION, caption),
        f"{short(caption)} {row['role']}, {row['length']}: {excerpt(said, 70)}",
        facts(
            ("text", said),
            ("role", row["role"]),
            ("length", f"{row['length']}, {counted(row['words'], 'word')}"),
            ("model", f"{row['model']}@{row['revision']}"),
            ("answered by", row["answered_by"]),
            ("sampling", sampling(row)),
            ("prompt", role.prompt(row["length"]) if role else ""),
            ("tokens", f"{row['prompt_tokens']} read, {row['completion_tokens']} written"),
            ("detail", row["detail"]),
            ("partition", listed(f"{r['shard']}|{r['role_set']}" for r in same)),
        ),
        run_id=row["run_id"],
    )


def _add_role(trace: TraceBuilder, row: Row, stored: list[Row] | None) -> NodeId:
    role = stored[0] if stored else {}
    node = Node(
        NodeId(Kind.ROLE, row["role_fingerprint"]),
        f"{row['role']} ({short(row['role_fingerprint'])})",
        facts(
            ("fingerprint", row["role_fingerprint"]),
            ("expertise", role.get("expertise")),
            ("responsibilities", role.get("responsibilities")),
            ("system prompt", role.get("system")),
            ("written by", role.get("generator")),
            ("role set", listed(r["role_set"] for r in stored or ())),
        ),
        warning="" if stored else "the role's words are no longer stored",
    )
    return trace.add(node)


def _role(row: Row) -> Role:
    return Role(
        name=row["name"],
        expertise=row["expertise"],
        responsibilities=row["responsibilities"],
        templates=PromptTemplates(long=row["long_template"], short=row["short_template"]),
        system=row["system"],
    )


def _at(
    sources: Sources,
    trace: TraceBuilder,
    table: str,
    column: str,
    values: Sequence[str] | set[str],
    version: int | None,
) -> list[Row]:
    """Read rows of a pinned version; a purged version adds a note and gives no rows."""
    if not values or version is None:
        return []
    try:
        return sources.keyed(table, column, values, version)
    except MissingVersionError as error:
        trace.note(str(error))
        return []


def _by(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append(row)
    return grouped
