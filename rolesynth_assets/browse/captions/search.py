"""What a page must know of the search index of a role set, and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.browse.captions.view import View
from rolesynth_assets.store.text_index import MOST_HITS, TextIndex

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.browse.captions.columns import CaptionColumns

MAKE = "rolesynth stale --asset caption_index --fix --missing"
"""The command that makes missing and stale indexes."""


@dataclass(frozen=True)
class SearchState:
    """Whether captions can be searched.

    Attributes:
        ready: whether there is an index.
        behind: whether the captions have changed since it was made.
        command: the command that makes it.
        most: captions that one search finds at most.
    """

    ready: bool
    behind: bool
    command: str = MAKE
    most: int = MOST_HITS


def search_state(root: Path, view: View, columns: CaptionColumns) -> SearchState:
    """Return whether the role set of a view has an index, and whether it is behind its captions."""
    facts = TextIndex(root, view.role_set).facts
    if facts is None:
        return SearchState(ready=False, behind=False)
    now = columns.captions.version if columns.captions is not None else 0
    return SearchState(ready=True, behind=facts.captions_version != now)


def hits_of(root: Path, view: View) -> pl.DataFrame | None:
    """Return what a view's search finds: ``caption_id`` and ``relevance``; None if it asks nothing.

    Raises:
        FileNotFoundError: the role set has no index.
    """
    if not view.q:
        return None
    return TextIndex(root, view.role_set).search(view.q)
