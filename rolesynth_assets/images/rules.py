"""The rules of ingestion that a user sets in `rolesynth.yaml`, beside the limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rolesynth_assets.yaml_files import FrozenModel


class IngestRules(FrozenModel):
    """The section `ingest` of `rolesynth.yaml`.

    Attributes:
        duplicates: which shard has a picture whose bytes are in several: `first`, the one that has
            it already; `newest`, the one that is read last; `all`, each of them. The other places
            are rejects that name both. Captions move with the picture.
        missing_grace_days: days for which rows of a missing or unreadable file or object are kept,
            so that its captions are not paid again when it comes back; 0 removes them at once.
    """

    duplicates: Literal["first", "newest", "all"] = "first"
    missing_grace_days: float = Field(default=14.0, ge=0)
