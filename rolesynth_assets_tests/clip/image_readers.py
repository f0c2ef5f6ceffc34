"""Where tests read their images from."""

from collections.abc import Mapping

from rolesynth_assets.clip.data.batches import ImageReader


def in_memory(images: Mapping[str, bytes]) -> ImageReader:
    """A reader of images that are already in memory, keyed by image id."""
    return lambda ids: {i: images[i] for i in ids if i in images}
