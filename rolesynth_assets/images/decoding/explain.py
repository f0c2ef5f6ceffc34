"""The reject for what a decoder raised."""

from __future__ import annotations

from PIL import Image, UnidentifiedImageError

from rolesynth_assets.images.decoding.formats import ends_early
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason


def explain(error: Exception, data: bytes, image_format: str) -> Reject:
    """Return the reject for what a decoder raised on a file."""
    said = str(error)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return Reject(RejectReason.TOO_MANY_PIXELS, said)
    if isinstance(error, MemoryError) or "memory" in said.lower():
        return Reject(RejectReason.TOO_MUCH_MEMORY, f"the decoder ran out of memory: {said}")
    if isinstance(error, ValueError) and ("MAX_TEXT" in said or "text chunks" in said):
        return Reject(RejectReason.METADATA_BOMB, said)
    if ends_early(data, image_format) or "truncated" in said.lower():
        return Reject(RejectReason.TRUNCATED, f"the {image_format} ends after {len(data)} bytes")
    if isinstance(error, UnidentifiedImageError):
        return Reject(RejectReason.CORRUPT, f"{image_format} signature, unreadable header")
    return Reject(RejectReason.CORRUPT, f"{image_format}: {type(error).__name__}: {said}")
