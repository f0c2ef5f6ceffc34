"""The limits on one image, archive, table or folder, which a user sets in `rolesynth.yaml`."""

from __future__ import annotations

from pydantic import Field

from rolesynth_assets.yaml_files import FrozenModel


class DecodeLimits(FrozenModel):
    """How much one image may cost.

    Attributes:
        max_bytes: largest encoded size, bytes.
        max_pixels: largest width x height; cameras of 150 and phones of 200 megapixels pass.
        max_side: largest side in pixels.
        min_side: smallest side in pixels; one visual token of Qwen2.5-VL is 28 x 28 pixels.
        max_elongation: largest longer / shorter side; Qwen2.5-VL's processor refuses more than 200.
        max_scans: most JPEG scans, including those of embedded previews; encoders write about ten.
        max_decode_bytes: most memory for decoding one image, estimated from the header; two images
            are decoded at once. A WebP takes 16 bytes a pixel, an AVIF, HEIF or JPEG XL 10, a HEIF
            of more than 8 bits 14; a rotated or progressive JPEG is decoded at a smaller size where
            it would take more.
        large_factor: how many times as much memory one AVIF, HEIF, JPEG XL or progressive JPEG may
            take, such as one of a camera of 100 megapixels. One of them is decoded at a time; all
            but a plain JPEG are stored at half the size. 1 refuses them.
        max_seconds: longest time for decoding one AVIF, HEIF or JPEG XL, s.
    """

    max_bytes: int = Field(default=128 * 2**20, ge=1)
    max_pixels: int = Field(default=200_000_000, ge=1)
    max_side: int = Field(default=32_767, ge=1)
    min_side: int = Field(default=28, ge=1)
    max_elongation: float = Field(default=200.0, ge=1)
    max_scans: int = Field(default=100, ge=1)
    max_decode_bytes: int = Field(default=640 * 2**20, ge=2**20)
    large_factor: float = Field(default=3.25, ge=1)
    max_seconds: float = Field(default=120.0, gt=0)

    @property
    def max_large_bytes(self) -> int:
        """Most memory for decoding one large image, bytes."""
        return int(self.max_decode_bytes * self.large_factor)


class ContainerLimits(FrozenModel):
    """How much a tar, a table or a folder may cost beside its images.

    Attributes:
        max_members: most members of a tar, or rows of a table.
        max_expansion: most unpacked bytes for each byte of a compressed tar, a zip or a table;
            archives of photographs have about 1. `EXPANSION_FLOOR` bytes of a file are always
            allowed; the shards of a table share them by their rows. Also most rows of a table for
            each of its bytes; 65,536 rows are always allowed.
        max_page_bytes: largest unpacked page of a parquet column, which is held in memory whole.
        max_seconds: longest time for unpacking one compressed tar, zip or shard of a table, s.
        max_depth: deepest nesting of folders in a local folder.
    """

    max_members: int = Field(default=50_000_000, ge=1)
    max_expansion: float = Field(default=100.0, ge=1)
    max_page_bytes: int = Field(default=512 * 2**20, ge=2**20)
    max_seconds: float = Field(default=3600.0, gt=0)
    max_depth: int = Field(default=64, ge=1, le=1000)


class InputLimits(FrozenModel):
    """The section `limits` of `rolesynth.yaml`."""

    image: DecodeLimits = DecodeLimits()
    container: ContainerLimits = ContainerLimits()


_IN_USE = [InputLimits()]


def use_limits(limits: InputLimits) -> None:
    """Set the limits of the project for which this process works; `Settings.load` does so."""
    _IN_USE[0] = limits


def limits_in_use() -> InputLimits:
    """Return the project's limits, by which a reader goes that is given no others."""
    return _IN_USE[0]


def limits_of_any_side() -> DecodeLimits:
    """Return the project's limits on an image, without the smallest side, for benchmarks."""
    return limits_in_use().image.model_copy(update={"min_side": 1})


EXPANSION_FLOOR = 64 * 2**20
"""Bytes to which any container may unpack, since small ones of blank pictures have a high ratio."""
