"""The geometric part of open_clip's evaluation transform, by Pillow alone.

A process that decodes images needs no torch for it, so it starts in a fraction of a second and
takes a tenth of the memory. The pixels are those of torchvision's transform.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rolesynth_assets.pictures.opened import draft_large, open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

UNREADABLE = (OSError, ValueError, SyntaxError)
"""The errors with which Pillow refuses a file."""
_LARGEST_INPUT = (1024, 1024)
"""Pixels; more than any of open_clip's models takes."""


@dataclass(frozen=True)
class Geometry:
    """Scaling to a shortest side and a centre crop, or scaling to a size.

    Attributes:
        height: height of the result, pixels.
        width: its width, pixels.
        shortest: length to which the shortest side is scaled before the crop, pixels; None scales
            to height and width whatever the shape.
        resampling: Pillow's number of the filter.
    """

    height: int
    width: int
    shortest: int | None
    resampling: int

    @classmethod
    def of(cls, steps: Sequence[Any]) -> Geometry | None:
        """Return the geometry of torchvision's steps; None if they do something else too."""
        from torchvision.transforms import CenterCrop, Resize
        from torchvision.transforms.functional import pil_modes_mapping

        steps = [step for step in steps if type(step).__name__ != "MaybeConvertMode"]
        if not steps or type(steps[0]) is not Resize or steps[0].max_size is not None:
            return None
        size = steps[0].size
        size = [size] if isinstance(size, int) else list(size)
        resampling = int(pil_modes_mapping[steps[0].interpolation])
        if len(size) == 2 and len(steps) == 1:
            return cls(size[0], size[1], None, resampling)
        if len(size) != 1 or len(steps) != 2 or type(steps[1]) is not CenterCrop:
            return None
        height, width = steps[1].size
        if max(height, width) > size[0]:  # torchvision would pad
            return None
        return cls(height, width, size[0], resampling)

    @classmethod
    def parse(cls, text: str) -> Geometry:
        """Read what `text` wrote."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """All of it as one line, for another process."""
        return json.dumps(asdict(self))

    def __call__(self, image: Image) -> Image:
        """Return the image at the model's size."""
        from PIL.Image import Resampling

        wide, high = image.size
        size = (self.width, self.height)
        if self.shortest is not None:
            short, long = sorted((wide, high))
            longest = int(self.shortest * long / short)
            size = (self.shortest, longest) if wide <= high else (longest, self.shortest)
        if size != (wide, high):
            image = image.resize(size, Resampling(self.resampling))
        left, top = (round((has - want) / 2) for has, want in zip(size, self._crop, strict=True))
        return image.crop((left, top, left + self.width, top + self.height))

    @property
    def _crop(self) -> tuple[int, int]:
        return self.width, self.height


def decode(encoded: bytes, fit: Any) -> bytes:
    """Return the pixels of an image as bytes of shape (height, width, 3).

    Args:
        encoded: the whole file.
        fit: a function from an RGB image to one of the model's size, such as a `Geometry`.

    Raises:
        OSError, ValueError, SyntaxError: the file cannot be decoded (`UNREADABLE`).
    """
    with open_picture(encoded) as image:
        draft_large(image, _LARGEST_INPUT)
        return fit(image.convert("RGB")).tobytes()
