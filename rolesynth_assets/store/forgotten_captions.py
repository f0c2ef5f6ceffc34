"""Captions of withdrawn images leave every index."""

from __future__ import annotations

from collections.abc import Iterable

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.store.meaning_index import MeaningIndex
from rolesynth_assets.store.text_index import TextIndex


def forget_images(root: DataPath | str, images: Iterable[str]) -> list[str]:
    """Take the captions of withdrawn images out of every index.

    Returns:
        The role sets of which an index held some.
    """
    gone, held = list(images), set()
    for index in (TextIndex, MeaningIndex):
        folder = DataPaths(root).caption_indexes(index.kind)
        held |= {name for name in sorted(_role_sets(folder)) if index(root, name).forget(gone)}
    return sorted(held)


def _role_sets(folder: DataPath) -> set[str]:
    """Return the role sets with an index; a hidden folder is the draft of a writer."""
    if isinstance(folder, ObjectPath):
        names = (path.relative_to(folder).parts[0] for path in folder.objects())
    else:
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else iter(())
    return {name.lstrip(".").partition(".lance")[0] for name in names}
