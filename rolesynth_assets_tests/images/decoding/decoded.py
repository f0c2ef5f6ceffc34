"""What `normalise` returns for a file, and PNG files written chunk by chunk."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from rolesynth_assets.images.decoding.decode import NormalisedImage, normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import DecodeLimits


def accepted(data: bytes, limits: DecodeLimits | None = None) -> NormalisedImage:
    result = normalise(data, limits)
    assert isinstance(result, NormalisedImage), result
    return result


def refused(data: bytes, limits: DecodeLimits | None = None) -> RejectReason:
    result = normalise(data, limits)
    assert isinstance(result, Reject), result
    assert result.detail
    return result.reason


def pixels(image: NormalisedImage) -> np.ndarray:
    with Image.open(io.BytesIO(image.data)) as opened:
        assert opened.mode == "RGB"
        assert opened.size == (image.width, image.height)
        assert Image.MIME[opened.format or ""] == image.media_type
        return np.asarray(opened)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + crc.to_bytes(4, "big")


def png_file(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
