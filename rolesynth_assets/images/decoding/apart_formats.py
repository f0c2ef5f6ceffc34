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
_JXL_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def decode(data: bytes, image_format: str, limits: DecodeLimits) -> tuple[dict[str, Any], bytes]:
    """Return width, height and a PNG; or a reason with its detail, and no bytes."""
    try:
        image = _jxl(data, limits) if image_format == "JXL" else _opened(data, image_format, limits)
        check_size(image.size, limits)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        turn = orientation(image)
        plain = plain_rgb(image)
        if plain is None:
            detail = f"pixels of mode {image.mode}, which have no agreed brightness range"
            raise Refused(RejectReason.UNSUPPORTED_PIXELS, detail)
        del image
        upright = turn_upright(plain, turn)
        return {"width": upright.width, "height": upright.height}, as_png(upright, profile)
    except Refused as refused:
        reject = refused.reject
    except Exception as error:  # decoders may raise anything on hostile bytes
        reject = explain(error, data, image_format)
    return {"reason": str(reject.reason), "detail": reject.detail}, b""


def _opened(data: bytes, image_format: str, limits: DecodeLimits) -> Image.Image:
    image = _heif(data) if image_format == "HEIF" else open_as("AVIF", data)
    check_size(image.size, limits)
    check_memory(decode_bytes(image, len(data)), limits)
    if image_format == "AVIF" and getattr(image, "is_animated", False):
        raise Refused(RejectReason.ANIMATED, "an AVIF of several frames")
    image.load()
    return image


def _heif(data: bytes) -> Image.Image:
    import io

    return HeifImageFile(io.BytesIO(data))


def _jxl(data: bytes, limits: DecodeLimits) -> Image.Image:
    stream = codestream(data)
    header = read_header(stream)
    check_size(header.size, limits)
    check_memory(jxl_bytes(header.size, len(data)), limits)
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
