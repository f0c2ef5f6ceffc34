"""Copies of a picture in other bytes, found by perceptual hash and coarse colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
from rolesynth_assets.images.limits import limits_of_any_side
from rolesynth_assets.pictures.opened import open_picture

if TYPE_CHECKING:
    import numpy as np

MOST_BITS = 8
"""Bits, out of 64, in which the perceptual hashes of two copies may differ."""
MOST_MEAN, MOST_CELL = 3.0, 64.0
"""Largest difference of two copies over 16 x 16 RGB cells of 0-255: on average, and in one cell.

The hash ignores colour: 59 % of easy-VQA's training images have a test image within 8 bits, but
none has one that is also within these bounds. Copies that were stored as JPEG of quality 50 and
scaled by 3/4 are within them.
"""
SIDE = 16
CELLS = SIDE * SIDE * 3


class Look(NamedTuple):
    """Features by which an image is compared: perceptual hash, and colours of 16 x 16 cells."""

    phash: int
    cells: np.ndarray


class Looks(NamedTuple):
    """Features of several images: (images,) uint64 and (images, 768) uint8."""

    phashes: np.ndarray
    cells: np.ndarray

    def nearest(self, look: Look) -> tuple[int, int] | None:
        """Return the place of the first copy of a picture, and the bits in which it differs."""
        import numpy as np

        bits = np.bitwise_count(self.phashes ^ np.uint64(look.phash))
        close = np.flatnonzero(bits <= MOST_BITS)
        apart = np.abs(self.cells[close].astype(np.float32) - look.cells)
        same = (apart.mean(axis=1) <= MOST_MEAN) & (apart.max(axis=1, initial=0) <= MOST_CELL)
        if not same.any():
            return None
        first = int(close[np.argmax(same)])
        return first, int(bits[first])


def together(looks: Sequence[Look]) -> Looks:
    """Return features in one table."""
    import numpy as np

    cells = [look.cells for look in looks]
    return Looks(
        np.array([look.phash for look in looks], dtype=np.uint64),
        np.stack(cells) if cells else np.empty((0, CELLS), np.uint8),
    )


def look_of(image: bytes) -> Look | None:
    """Return the features of an encoded image; None if it cannot be decoded."""
    import imagehash
    import numpy as np
    from PIL import Image

    normal = normalise(image, limits_of_any_side())
    if not isinstance(normal, NormalisedImage):
        return None
    with open_picture(normal.data) as opened:
        picture = opened.convert("RGB")
    cells = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Look(int(str(imagehash.phash(picture)), 16), np.asarray(cells, dtype=np.uint8).ravel())
