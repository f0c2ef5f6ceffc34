"""What trainings keep of their inputs below the data root: decoded images and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rolesynth_assets.clip.data.pixel_rows import forget_pixels
from rolesynth_assets.clip.data.token_files import forget_tokens
from rolesynth_assets.files.object_path import DataPath


@dataclass(frozen=True)
class InputCache:
    """Where the inputs are kept.

    Attributes:
        root: data root.
        pixel_bytes: most disk space for decoded images.
    """

    root: DataPath
    pixel_bytes: int


def forget_inputs(root: DataPath | str, image_ids: Iterable[str]) -> None:
    """Remove withdrawn images and the tokens of their captions from what trainings have kept.

    Raises:
        StoreError: another process has been writing there for too long.
    """
    forget_tokens(root)
    forget_pixels(root, image_ids)
