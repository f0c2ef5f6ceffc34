"""Loading of the pictures for the page of a trace."""

from __future__ import annotations

from rolesynth_assets.lineage.trace.graph import Kind, NodeId, Trace
from rolesynth_assets.lineage.trace.sources import Sources
from rolesynth_assets.store.lance.rows import any_key

MOST = 24
"""Largest number of pictures on one page."""
_PNG = "image/png"
_MEDIA_TYPES = {b"\xff\xd8": "image/jpeg", b"RI": "image/webp", b"\x89P": _PNG}


def trace_pictures(sources: Sources, trace: Trace) -> dict[NodeId, tuple[str, bytes]]:
    """Load the pictures of a trace's images, candidates and seeds, at most `MOST` of them.

    Returns:
        Media type and encoded bytes by node; images that are no longer stored are left out.
    """
    nodes = [trace.subject, *(node for node in trace.nodes if node != trace.subject)]
    wanted = [n for n in nodes if n.kind in (Kind.IMAGE, Kind.CANDIDATE, Kind.SEED)][:MOST]
    found: dict[NodeId, tuple[str, bytes]] = {}
    for kind, table, key, column in (
        (Kind.IMAGE, "images", "image_id", "data"),
        (Kind.IMAGE, "candidates", "image_id", "image"),
        (Kind.CANDIDATE, "candidates", "candidate_id", "image"),
        (Kind.SEED, "seeds", "seed_id", "images"),
    ):
        keys = [n.key for n in wanted if n.kind is kind and n not in found]
        if not keys:
            continue
        rows = sources.store.read(table, None, [key, column], any_key(key, keys)).to_pylist()
        for row in rows:
            image = row[column][0] if isinstance(row[column], list) and row[column] else row[column]
            if isinstance(image, bytes):
                media_type = _MEDIA_TYPES.get(image[:2], _PNG)
                found.setdefault(NodeId(kind, row[key]), (media_type, image))
    return found
