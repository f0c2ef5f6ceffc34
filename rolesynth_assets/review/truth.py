"""The answers that people can give on a caption."""

from enum import StrEnum


class Truth(StrEnum):
    """Whether a caption is true of its image."""

    TRUE = "true"
    FALSE = "false"
    UNSURE = "unsure"
