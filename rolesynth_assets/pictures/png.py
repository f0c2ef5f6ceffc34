"""Encoding of pictures as PNG files that are small enough for an event log."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 150_000
"""Bound on one picture, which is stored as base64 in the metadata of every materialization."""

WIDTH = 900
"""Width in px at which the Dagster UI shows a picture."""

_PALETTES = (256, 64)
_SMALLEST = 64  # px; a smaller picture is of no use


def encode_png(picture: Image.Image, max_bytes: int = MAX_BYTES) -> bytes:
    """Encode an RGB picture as a PNG of at most `max_bytes`.

    The picture is encoded without loss if it fits, else with fewer colours, else also scaled down,
    as a detailed photograph needs.

    Raises:
        ValueError: not even a thumbnail of the picture fits.
    """
    from PIL import Image

    flat = picture.convert("RGB")
    encoded = _save(flat)
    scaled = flat
    while len(encoded) > max_bytes:
        for colours in _PALETTES:
            encoded = _save(scaled.quantize(colours, method=Image.Quantize.MEDIANCUT))
            if len(encoded) <= max_bytes:
                return encoded
        shrink = min(0.95, 0.97 * math.sqrt(max_bytes / len(encoded)))  # bytes grow with the area
        side = round(shrink * scaled.width), round(shrink * scaled.height)
        if min(side) < _SMALLEST:
            raise ValueError(
                f"a picture of {flat.width} x {flat.height} px does not fit into {max_bytes} bytes "
                "even as a thumbnail; show fewer images in it"
            )
        scaled = flat.resize(side, Image.Resampling.LANCZOS)
    return encoded


def _save(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=7)
    return buffer.getvalue()
