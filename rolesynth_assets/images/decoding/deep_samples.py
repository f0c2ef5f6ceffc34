"""Samples of more than 8 bits, scaled to 8 by their own range.

Cameras, scanners and microscopes write 10, 12 or 14 bits into 16, whose high bytes alone would be
almost black. The range is the number of bits of the largest sample, so two files of one instrument
usually get the same scale.
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image, ImageFile

_OTHER_ORDER = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_GREY_ALPHA = "LA;16B"  # Pillow has no other order of it, but all four bytes can be had as RGBA
FULL_HIGH_BYTE = 128
"""A high byte from which on all 16 bits are in use."""


def deep_colour(image: ImageFile.ImageFile) -> str | None:
    """Return the layout of an opened, not yet loaded image of several channels of 16 bits.

    Pillow loads the high byte of such samples. None for all other images.
    """
    if not image.tile or image.mode.startswith("I"):
        return None
    args = image.tile[0].args
    layout = args if isinstance(args, str) else args[0] if args else None
    return layout if isinstance(layout, str) and layout[-3:] in _OTHER_ORDER else None


def uses_high_bits(high: Image.Image) -> bool:
    """Whether the high bytes of all samples are the picture, because some sample has 16 bits."""
    extrema = high.getextrema()
    colours = extrema[:-1] if high.mode in ("RGBA", "RGBa") else extrema
    return max(top for _, top in colours) >= FULL_HIGH_BYTE  # type: ignore[misc]


def in_own_range(high: Image.Image, again: ImageFile.ImageFile, layout: str) -> Image.Image:
    """Return an image of 16-bit channels scaled to 8 bits by its own range.

    Colours have one range, alpha has its own.

    Args:
        high: the image with the high byte of each sample.
        again: the same file opened again and not loaded.
        layout: what `deep_colour` returned for it.
    """
    other = "RGBA" if layout == _GREY_ALPHA else layout[:-3] + _OTHER_ORDER[layout[-3:]]
    again.tile = [
        tile._replace(
            args=other if isinstance(tile.args, str) else (other, *tile.args[1:])  # type: ignore[index]
        )
        for tile in again.tile
    ]
    again.load()
    if layout == _GREY_ALPHA:
        pairs = [("R", "G"), ("R", "G"), ("R", "G"), ("B", "A")]
        samples = [_joined(again.getchannel(h), again.getchannel(lo)) for h, lo in pairs]
    else:
        names = high.getbands()
        samples = [_joined(high.getchannel(n), again.getchannel(n)) for n in names]
    has_alpha = high.mode in ("RGBA", "RGBa")
    colours = samples[:-1] if has_alpha else samples
    top = max(int(sample.max()) for sample in colours)
    channels = [to_8_bits(sample, top) for sample in colours]
    if has_alpha:
        channels.append(to_8_bits(samples[-1], int(samples[-1].max())))
    return Image.merge(high.mode, [Image.fromarray(channel) for channel in channels])


def to_8_bits(samples: np.ndarray, top: int) -> np.ndarray:
    """Scale unsigned samples, of which `top` is the largest, to uint8 of the same shape."""
    return (samples >> max(top.bit_length() - 8, 0)).astype(np.uint8)


def _joined(high: Image.Image, low: Image.Image) -> np.ndarray:
    return np.asarray(high).astype(np.uint16) << 8 | np.asarray(low)
