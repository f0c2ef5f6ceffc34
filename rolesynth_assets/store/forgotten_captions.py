"""Captions of withdrawn images leave every index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.meaning_index import MeaningIndex
from rolesynth_assets.store.text_index import TextIndex


def forget_images(root: Path | str, images: Iterable[str]) -> list[str]:
    """Take the captions of withdrawn images out of every index.

    Returns:
        The role sets of which an index held some.
    """
    gone, held = list(images), set()
    for index in (TextIndex, MeaningIndex):
        folder = DataPaths(root).caption_indexes(index.kind)
        # a hidden folder is the draft of a writer, at work or killed
        found = folder.iterdir() if folder.is_dir() else ()
        names = {path.name.lstrip(".").partition(".lance")[0] for path in found}
        held |= {name for name in sorted(names) if index(root, name).forget(gone)}
    return sorted(held)
