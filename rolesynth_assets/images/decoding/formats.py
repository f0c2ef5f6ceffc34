"""The image format of a file by its first bytes, whatever its name."""

from __future__ import annotations

HEAD_BYTES = 64  # enough for every signature below
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Media types of the formats in which images are stored."""

#: A file of a folder or tar with one of these extensions is a member even if its content is not an
#: image, so that a mislabelled file is reported and not skipped.
IMAGE_EXTENSIONS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
        ".jp2",
        ".jxl",
        ".psd",
        ".ico",
        ".svg",
    }
)

_DIB_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # header sizes of the BMP versions
_OTHER_IMAGES = (
    (b"8BPS", "PSD"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes) -> str | None:
    """Return the supported format whose signature `head` begins with.

    Args:
        head: the first `HEAD_BYTES` of a file, or all of a shorter one.

    Returns:
        "JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF" or "JXL"; None for anything
        else.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    # two letters are not enough: a text may begin with "BM"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _DIB_HEADERS:
        return "BMP"
    if head.startswith((b"\x00\x00\x00\x0cJXL \r\n\x87\n", b"\xff\x0a")):
        return "JXL"
    return _iso_format(head)


def _iso_format(head: bytes) -> str | None:
    """Return "AVIF" or "HEIF" by the brands in the first box: the major one, then the others."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] in _HEIF_BRANDS and _AVIF_BRANDS & set(brands)):
        return "AVIF"
    return "HEIF" if brands[0] in _HEIF_BRANDS else None


def sniff_other_image(head: bytes) -> str | None:
    """Return the name of a format that is recognised but not supported, such as "PSD"."""
    return next((name for magic, name in _OTHER_IMAGES if head.startswith(magic)), None)


def is_image(head: bytes) -> bool:
    """Whether `head` begins like a raster image of any format, supported or not."""
    return sniff(head) is not None or sniff_other_image(head) is not None


def ends_early(data: bytes, image_format: str) -> bool:
    """Whether the file lacks the end marker of its format."""
    if image_format == "JPEG":  # the end marker comes after the last scan
        return data.rfind(b"\xff\xd9") < max(data.rfind(b"\xff\xda"), 0)
    if image_format == "PNG":
        return b"IEND\xaeB`\x82" not in data
    if image_format == "GIF":
        return not data.rstrip(b"\x00").endswith(b";")
    if image_format == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if image_format == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    return False  # a TIFF may put its parts in any order


def webp_canvas(data: bytes) -> tuple[int, int] | None:
    """Read a WebP's (width, height) in pixels from its first chunk, without a decoder.

    The library allocates the whole canvas when it opens the file, so the size must be checked
    before. Layout: RFC 9649, sections 2.5 to 2.7.

    Returns:
        The size, or None if the header is too short or of an unknown kind.
    """
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return (
            1 + int.from_bytes(body[4:7], "little"),
            1 + int.from_bytes(body[7:10], "little"),
        )
    if chunk == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return (
            int.from_bytes(body[6:8], "little") & 0x3FFF,
            int.from_bytes(body[8:10], "little") & 0x3FFF,
        )
    return None
