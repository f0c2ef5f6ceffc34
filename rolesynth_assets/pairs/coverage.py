"""How many images remain after the cut: a cut over all captions also selects images."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rolesynth_assets.pairs.cut import Cutoffs, Scores, frames_of, mark_kept


@dataclass(frozen=True)
class Coverage:
    """Which images of a role set remain after the cut.

    Attributes:
        images: images with a scored caption.
        covered: the images among them with a kept caption.
    """

    images: int
    covered: int

    @property
    def share(self) -> float:
        """Share of the images that remain; 1 if there is none."""
        return self.covered / self.images if self.images else 1.0


def images_covered(scores: Scores, cutoffs: Cutoffs) -> Coverage:
    """Count the images of which the cut keeps a caption.

    Scores differ more between images than within one, so a cut over all captions also selects
    images: the easy ones.

    Args:
        scores: as for `pairs.cut.compute_cutoffs`.
        cutoffs: the cut made from them.
    """
    seen = []
    for frame in frames_of(scores):
        scored = frame.filter(pl.col("score").is_not_null())
        marked = mark_kept(scored, cutoffs.cuts, cutoffs.floor_per_image, cutoffs.centred)
        seen.append(marked.group_by("image_id").agg(pl.col("kept").any()))
    # an image may be in several shards
    images = pl.concat(seen).group_by("image_id").agg(pl.col("kept").any()) if seen else None
    return Coverage(0, 0) if images is None else Coverage(images.height, int(images["kept"].sum()))
