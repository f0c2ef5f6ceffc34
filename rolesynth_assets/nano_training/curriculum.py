"""The training pictures of the nano MLLM: scenes, bar charts and shapes in given shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rolesynth_assets.embedded.nano.architecture import SIDE, normalise
from rolesynth_assets.embedded.problems.pose import Domain, sample_picture
from rolesynth_assets.embedded.world.figures import BarChart, Shape, draw_chart, draw_shape
from rolesynth_assets.embedded.world.scenes import CANVAS, Scene, draw_halved
from rolesynth_assets.embedded.world.specification import Picture

THUMBNAIL = 64
"""Side of easy-VQA's images, px; half of the training shapes are as coarse as these."""


@dataclass(frozen=True)
class Curriculum:
    """Shares of the kinds of pictures and lessons in a training.

    Attributes:
        charts: share of bar charts among the pictures.
        shapes: share of shapes among the pictures; all others are scenes.
        captions: share of captions among the lessons about scenes.
        judgements: share of judged captions among the lessons about scenes; all others are
            problems.
    """

    charts: float = 0.22
    shapes: float = 0.18
    captions: float = 0.36
    judgements: float = 0.27


CURRICULA = {
    "all": Curriculum(),
    "scenes": Curriculum(charts=0.0, shapes=0.1, captions=0.2, judgements=0.1),
    "charts": Curriculum(charts=0.6, shapes=0.25, captions=0.2, judgements=0.1),
}
"""The curricula of the shipped models: `nano` learns everything, the others more of one thing."""


def training_picture(seed: int, index: int, curriculum: Curriculum) -> Picture:
    """Return training picture ``index`` of world ``seed``."""
    draw = np.random.default_rng([seed, index, 7]).random()
    if draw < curriculum.charts:
        return sample_picture(Domain.BAR_CHARTS, seed, index)
    shape = draw < curriculum.charts + curriculum.shapes
    return sample_picture(Domain.EASY_VQA if shape else Domain.COUNTING, seed, index)


def picture_batch(
    seed: int, indices: Iterable[int], noise: np.random.Generator, curriculum: Curriculum
) -> tuple[list[Picture], torch.Tensor]:
    """Return pictures and their pixels, normalised (n, 3, 112, 112), with the noise of a JPEG."""
    pictures = [training_picture(seed, i, curriculum) for i in indices]
    return pictures, noisy_pixels(pictures, noise)


def noisy_pixels(pictures: Sequence[Picture], noise: np.random.Generator) -> torch.Tensor:
    """Draw pictures as the tower reads them, normalised (n, 3, 112, 112), with a JPEG's noise."""
    drawn = np.stack([_halved(picture, noise) for picture in pictures])
    drawn += noise.normal(0, 2.5, drawn.shape).astype(np.float32)
    return normalise(torch.from_numpy(drawn))


def _halved(picture: Picture, noise: np.random.Generator) -> np.ndarray:
    """Draw a picture at half the canvas size: float32 (112, 112, 3)."""
    if isinstance(picture, Scene):
        return draw_halved(picture)
    drawn = draw_chart(picture) if isinstance(picture, BarChart) else draw_shape(picture)
    if isinstance(picture, Shape) and noise.random() < 0.5:
        coarse = (np.arange(SIDE) + 0.5) * THUMBNAIL // SIDE
        at = ((coarse + 0.5) * CANVAS / THUMBNAIL).astype(int)
        return drawn[at][:, at].astype(np.float32)
    return drawn.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3), dtype=np.float32)
