"""What a worker of `decode_apart` does with one AVIF, HEIF or JPEG XL."""

from __future__ import annotations

from typing import Any

from PIL import AvifImagePlugin, Image
from pillow_heif import options
from pillow_heif.as_plugin import HeifImageFile
from pillow_jxl import Decoder

from rolesynth_assets.images.decoding.bounds import Refused, check_memory, check_size
from rolesynth_assets.images.decoding.decode_memory import decode_bytes, jxl_bytes
from rolesynth_assets.images.decoding.explain import explain
from rolesynth_assets.images.decoding.jxl import codestream, read_header
from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.decoding.rgb import as_png, orientation, plain_rgb, turn_upright
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.pictures.opened import open_as

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # two workers use two cores
options.DECODE_THREADS = 1
options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
_REDUCIBLE = ("L", "LA", "RGB", "RGBA")
_JXL_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


class LargeError(Exception):
    """The image takes more than `max_decode_bytes`, and was not to be decoded alone."""


def decode(
    data: bytes, image_format: str, limits: DecodeLimits, alone: bool = False
) -> tuple[dict[str, Any], bytes]:
    """Return width, height and a PNG; or a reason with its detail, and no bytes.

    Args:
        data: the file.
        image_format: its format, one of `decode_apart.APART`.
        limits: the limits.
        alone: whether a large image may be decoded; it is returned at half its size. Otherwise the
            answer for it is `{"large": True}`.
    """
    try:
        room = _Room(limits, alone)
        image = _jxl(data, room) if image_format == "JXL" else _opened(data, image_format, room)
        check_size(image.size, limits)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        turn = orientation(image)
        plain = plain_rgb(image.reduce(2) if room.large and image.mode in _REDUCIBLE else image)
        if plain is None:
            detail = f"pixels of mode {image.mode}, which have no agreed brightness range"
            raise Refused(RejectReason.UNSUPPORTED_PIXELS, detail)
        del image
        upright = turn_upright(plain, turn)
        return {"width": upright.width, "height": upright.height}, as_png(upright, profile)
    except LargeError:
        return {"large": True}, b""
    except Refused as refused:
        reject = refused.reject
    except Exception as error:  # decoders may raise anything on hostile bytes
        reject = explain(error, data, image_format)
    return {"reason": str(reject.reason), "detail": reject.detail}, b""


class _Room:
    """The memory that one decode may take."""

    def __init__(self, limits: DecodeLimits, alone: bool) -> None:
        self.limits, self._alone, self.large = limits, alone, False

    def check(self, size: tuple[int, int], needed: int) -> None:
        check_size(size, self.limits)
        self.large = needed > self.limits.max_decode_bytes
        check_memory(needed, self.limits, self.large)
        if self.large and not self._alone:
            raise LargeError


def _opened(data: bytes, image_format: str, room: _Room) -> Image.Image:
    image = _heif(data) if image_format == "HEIF" else open_as("AVIF", data)
    room.check(image.size, decode_bytes(image, len(data)))
    if image_format == "AVIF" and getattr(image, "is_animated", False):
        raise Refused(RejectReason.ANIMATED, "an AVIF of several frames")
    image.load()
    return image


def _heif(data: bytes) -> Image.Image:
    import io

    return HeifImageFile(io.BytesIO(data))


def _jxl(data: bytes, room: _Room) -> Image.Image:
    stream = codestream(data)
    header = read_header(stream)
    room.check(header.size, jxl_bytes(header.size, len(data)))
    if header.animated:
        raise Refused(RejectReason.ANIMATED, "a JPEG XL of several frames")
    _, info, pixels, profile, _ = Decoder(num_threads=0)(stream)
    size = info.width, info.height
    if info.mode not in _JXL_MODES:
        detail = f"pixels of mode {info.mode}, which have no agreed brightness range"
        raise Refused(RejectReason.UNSUPPORTED_PIXELS, detail)
    image = Image.frombytes(info.mode, size, pixels)
    if profile:
        image.info["icc_profile"] = profile
    return image
