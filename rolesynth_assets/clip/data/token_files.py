"""The tokens of a training set on disk: flat arrays that are mapped into memory.

A folder holds the tokens of one training set by one tokenizer. It may be deleted at any time; the
next training makes it again.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.tombstones import withdrawn_images

MOST_BYTES = 4 * 1024**3
"""Disk space of all training sets together; a million captions of 60 tokens take 0.13 GB."""
_LOCK = "token_cache"
_PATIENCE_S = 24 * 3600.0  # somebody else tokenizes, perhaps the same set
_IDS, _OFFSETS, _CUT = "ids", "offsets.npy", "cut.npy"


@dataclass(frozen=True)
class TokenBlock:
    """The tokens of some captions, without padding.

    Attributes:
        ids: all tokens, those of one caption next to each other.
        lengths: (N,) number of tokens of each caption.
        cut: (N,) whether a caption is longer than the context, so that its end is missing.
    """

    ids: np.ndarray
    lengths: np.ndarray
    cut: np.ndarray


@dataclass(frozen=True)
class FlatTokens:
    """The tokens of all captions of a training set, without padding.

    Attributes:
        ids: all tokens, those of one caption next to each other.
        offsets: int64 of shape (captions + 1,); caption i owns ``ids[offsets[i]:offsets[i + 1]]``.
        cut: (captions,) whether a caption is longer than the context.
    """

    ids: np.ndarray
    offsets: np.ndarray
    cut: np.ndarray


def in_memory(blocks: Iterable[TokenBlock], dtype: Any) -> FlatTokens:
    """Collect blocks in memory, 2 bytes a token or 4."""
    content = io.BytesIO()
    offsets, cut = _collect(blocks, dtype, content)
    return FlatTokens(np.frombuffer(content.getbuffer(), dtype), offsets, cut)


def on_disk(
    root: DataPath,
    key: str,
    image_ids: Iterable[str],
    blocks: Callable[[], Iterable[TokenBlock]],
    dtype: Any,
) -> FlatTokens:
    """Return stored tokens, or store those of `blocks` first.

    Tokens are collected in memory instead if they cannot be stored.

    Args:
        root: data root.
        key: what the tokens depend on, a digest.
        image_ids: the images of the captions; tokens of withdrawn ones are not kept.
        blocks: makes the tokens, in the order of the captions.
        dtype: type of a token.
    """
    folder = DataPaths(root).token_cache / key
    try:
        with writer_lock(str(DataPaths(root).this_machine), _LOCK, _PATIENCE_S):
            if (stored := _open(folder, dtype)) is not None:
                return stored
            with replaced_folder(folder) as draft:
                _write(draft, blocks(), dtype)
            stored = _open(folder, dtype)
            if not set(withdrawn_images(root)).isdisjoint(image_ids):
                shutil.rmtree(folder)  # the open files stay readable
            _drop_unused(folder)
            assert stored is not None
            return stored
    except (OSError, StoreError) as error:
        logging.getLogger("rolesynth").warning("tokens are not kept in %s: %s", folder, error)
        return in_memory(blocks(), dtype)


def forget_tokens(root: DataPath | str) -> None:
    """Delete all stored tokens, because somebody withdrew an image.

    They can be read as text, and which images they belong to is not stored. A training that writes
    some meanwhile looks for withdrawn images afterwards.
    """
    cache = DataPaths(root).token_cache
    try:
        with writer_lock(str(DataPaths(root).this_machine), _LOCK, 0.0):
            shutil.rmtree(cache, ignore_errors=True)
    except StoreError:  # a training is writing; its draft is its own
        for folder in cache.iterdir() if cache.is_dir() else ():
            if not folder.name.startswith("."):
                shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, blocks: Iterable[TokenBlock], dtype: Any) -> None:
    with (folder / _IDS).open("wb") as file:
        offsets, cut = _collect(blocks, dtype, file)
    np.save(folder / _OFFSETS, offsets)
    np.save(folder / _CUT, cut)


def _collect(
    blocks: Iterable[TokenBlock], dtype: Any, ids: IO[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Write the tokens of blocks one after the other; return offsets and cut."""
    lengths, cut = [np.zeros(1, np.int64)], [np.zeros(0, bool)]
    for block in blocks:
        ids.write(block.ids.astype(dtype).tobytes())
        lengths.append(block.lengths)
        cut.append(block.cut)
    return np.cumsum(np.concatenate(lengths)), np.concatenate(cut)


def _open(folder: Path, dtype: Any) -> FlatTokens | None:
    """Map stored tokens into memory; None if there are none."""
    try:
        offsets, cut = (np.load(folder / name, mmap_mode="r") for name in (_OFFSETS, _CUT))
        ids = np.memmap(folder / _IDS, dtype, "r")
        os.utime(folder)
    except (OSError, ValueError):
        return None
    return FlatTokens(ids, offsets, cut) if offsets[-1] == len(ids) else None


def _drop_unused(newest: Path) -> None:
    """Delete the folders that were not used for longest, as long as all are too large."""
    folders = [f for f in newest.parent.iterdir() if f.is_dir() and f != newest]
    folders.sort(key=lambda folder: folder.stat().st_mtime)
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    size = sum(file.stat().st_size for file in newest.iterdir()) if newest.is_dir() else 0
    while folders and size + sum(sizes[folder] for folder in folders) > MOST_BYTES:
        shutil.rmtree(folders.pop(0), ignore_errors=True)
