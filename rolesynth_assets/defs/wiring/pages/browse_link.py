"""The page of `rolesynth browse` that shows what a partition holds."""

from urllib.parse import urlencode

import dagster as dg

from rolesynth_assets.addresses import BROWSE

_CELLS = {  # by shard and role set
    "raw_captions": {},
    "caption_scores": {"sort": "lowest"},
    "filtered_pairs": {"sort": "doubt"},
}
_ROLE_SETS = {
    "filter_cutoffs": {"sort": "doubt"},
    "pair_manifests": {"decision": "kept"},
    "dataset_card": {"decision": "kept"},
    "caption_index": {},
    "meaning_index": {},
}
_TRACED = (
    *("training_sets", "clip_checkpoints"),
    *("r1_checkpoints", "r1_scores"),
)


def browse_link(asset: str, partition: str | None) -> dg.MarkdownMetadataValue | None:
    """Return a link to the page of a partition; None if there is no such page.

    The server may not run, so the line names the command that starts it.
    """
    page = page_of(asset, partition)
    if page is None:
        return None
    said = f"[see the rows]({BROWSE}{page}) while `rolesynth browse` runs"
    return dg.MetadataValue.md(said)


def page_of(asset: str, partition: str | None) -> str | None:
    """Return path and query of the page of a partition; None if there is none."""
    parts = (partition or "").split("|")
    if asset in _CELLS and len(parts) == 2:
        shown = {"role_set": parts[1], "shard": parts[0], **_CELLS[asset]}
        return f"/images?{urlencode(shown)}"
    if asset in _ROLE_SETS and partition:
        return f"/images?{urlencode({'role_set': partition, **_ROLE_SETS[asset]})}"
    if asset == "image_shards" and partition:
        return f"/images?{urlencode({'shard': partition})}"
    if asset == "cads_rounds" and len(parts) == 2:
        return f"/problems?{urlencode({'domain': parts[0], 'round': parts[1]})}"
    if asset == "synthetic_problems" and partition:
        return f"/problems?{urlencode({'domain': partition, 'decision': 'kept'})}"
    if asset == "benchmark_scores" and len(parts) == 2:
        return f"/compare?{urlencode({'benchmark': parts[0], 'b': parts[1]})}"
    if asset in _TRACED and partition:
        return f"/trace?{urlencode({'subject': f'{asset}[{partition}]'})}"
    return None
