"""The checks of one image before it is decoded, each with its reason."""

from __future__ import annotations

import threading

from rolesynth_assets.images.decoding.decode_memory import webp_bytes
from rolesynth_assets.images.decoding.formats import webp_canvas
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import DecodeLimits


class Refused(Exception):
    """An image that is not accepted, with the reject that says why."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        """Make the reject."""
        super().__init__(detail)
        self.reject = Reject(reason, detail)


def check_file(data: bytes, image_format: str, limits: DecodeLimits) -> None:
    """Check what the bytes show without a decoder.

    Raises:
        Refused: the file is too long, has too many scans, or is too large a WebP.
    """
    if len(data) > limits.max_bytes:
        detail = f"{len(data)} bytes; the limit is {limits.max_bytes}, limits.image.max_bytes"
        raise Refused(RejectReason.TOO_MANY_BYTES, detail)
    # in compressed data 0x00 always follows 0xFF, so this counts start-of-scan markers
    scans = data.count(b"\xff\xda") if image_format == "JPEG" else 0
    if scans > limits.max_scans:
        detail = f"{scans} scans; the limit is {limits.max_scans}"
        raise Refused(RejectReason.TOO_MANY_SCANS, detail)
    canvas = webp_canvas(data) if image_format == "WEBP" else None
    if canvas:
        check_size(canvas, limits)
        check_memory(webp_bytes(canvas), limits)


def check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    """Check (width, height) in pixels.

    Raises:
        Refused: a side or the number of pixels is out of bounds.
    """
    width, height = size
    longer, shorter = max(size), min(size)
    said = f"{width} x {height} pixels"
    if shorter < max(limits.min_side, 1):
        detail = f"{said}; a side has at least {limits.min_side}"
        raise Refused(RejectReason.SIDE_TOO_SHORT, detail)
    if width * height > limits.max_pixels:
        detail = f"{said}; the limit is {limits.max_pixels}, limits.image.max_pixels"
        raise Refused(RejectReason.TOO_MANY_PIXELS, detail)
    if longer > limits.max_side:
        detail = f"{said}; a side has at most {limits.max_side}, limits.image.max_side"
        raise Refused(RejectReason.SIDE_TOO_LONG, detail)
    if longer > shorter * limits.max_elongation:
        detail = f"{said}; the sides differ by more than {limits.max_elongation:g} times"
        raise Refused(RejectReason.TOO_ELONGATED, detail)


LARGE = threading.Lock()
"""Held while an image is decoded that takes more than `max_decode_bytes`."""


def check_memory(needed: int, limits: DecodeLimits, large: bool = False) -> None:
    """Check the bytes that decoding will take.

    Args:
        needed: the bytes.
        limits: the limits.
        large: whether such an image may be decoded alone, with `LARGE` held.

    Raises:
        Refused: they are more than the limit.
    """
    most = limits.max_large_bytes if large else limits.max_decode_bytes
    if needed > most:
        times = " x limits.image.large_factor" if large else ""
        detail = (
            f"decoding takes about {needed >> 20} MiB; the limit is {most >> 20} MiB, "
            f"limits.image.max_decode_bytes{times}"
        )
        raise Refused(RejectReason.TOO_MUCH_MEMORY, detail)
