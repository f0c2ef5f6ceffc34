import numpy as np
import torch

from rolesynth_assets.embedded.grounding import (
    CELLS,
    LARGE,
    NOTHING,
    POSITIONS,
    SMALL,
    centres,
    one_cycle,
    positions,
    shown_in_grid,
)
from rolesynth_assets.embedded.judging import _expecting
from rolesynth_assets.embedded.kinds import KINDS
from rolesynth_assets.embedded.language import IGNORED, Batch
from rolesynth_assets.embedded.nano import GRID, MERGE, PATCH, SIDE, to_patches
from rolesynth_assets.embedded.scenes import Background, Size
from rolesynth_assets_tests.embedded.small_scenes import CELLS as PLACES
from rolesynth_assets_tests.embedded.small_scenes import INDEX, scene, thing

WORLD = scene(thing("dog", "top left"), thing("apple", "bottom right", Size.LARGE))
BEACH = len(KINDS) + list(Background).index(Background.BEACH)
# cells of 56 px; the dog spans 19-81, the apple 125-223 in both directions
DOG, APPLE = INDEX["dog"], INDEX["apple"]


def test_cells_show_the_object_that_covers_them():
    shown = shown_in_grid(WORLD, CELLS)
    assert shown[0, 0] == DOG
    assert shown[1, 1] == BEACH  # a fifth of the cell at (25 / 56) squared = 0.1993 is not reached
    assert (shown[2:, 2:] == APPLE).all()
    assert shown[0, 3] == shown[3, 0] == BEACH
    assert set(np.unique(shown)) == {DOG, APPLE, BEACH}


def test_centres_carry_the_size():
    labels = centres(WORLD).reshape(CELLS, CELLS)
    assert labels[0, 0] == SMALL
    assert labels[3, 3] == LARGE
    assert (labels != NOTHING).sum() == 2


def test_positions_are_those_the_captions_name():
    assert set(POSITIONS) == set(PLACES)
    labels = positions(WORLD)
    named = {cell: POSITIONS[label] for cell, label in enumerate(labels) if label < len(POSITIONS)}
    assert named == {0: "top left", 15: "bottom right"}


def test_the_labels_stand_in_the_order_of_the_patches():
    number = torch.arange(GRID * GRID).view(GRID, GRID)
    image = number.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1).float()
    order = to_patches(image.expand(1, 3, SIDE, SIDE))[0, :, 0].long()
    assert torch.equal(number.view(CELLS, MERGE, CELLS, MERGE).transpose(1, 2).flatten(), order)


def test_the_learning_rate_warms_up_and_falls():
    rates = [one_cycle(step, 500) for step in range(500)]
    assert np.argmax(rates) in (59, 60)
    assert rates[0] < 0.02
    assert max(rates) == 1
    assert 0.03 <= rates[-1] < 0.031
    assert np.all(np.diff(rates[60:]) < 0)


class _Sure:
    """A frozen model that divides its belief between the scores 40 and 80."""

    def __init__(self, scores: dict[int, int]) -> None:
        self.logits = torch.full((300,), -50.0)
        self.logits[scores[40]] = 0.0
        self.logits[scores[80]] = np.log(3.0)  # 40 at 1/4 and 80 at 3/4: 70 is expected

    def lm_head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(hidden), -1)


def test_the_expected_score_replaces_the_first_one_of_a_judgement(monkeypatch):
    scores = {score: 100 + score for score in range(1, 101) if score not in (70, 71)}
    monkeypatch.setattr(
        "rolesynth_assets.embedded.judging.reply_hidden",
        lambda model, batch: torch.zeros(*batch.ids.shape, 4),
    )
    targets = torch.tensor(
        [
            [IGNORED, 197, 7, 8, 120, 2],  # a judgement; the later number is part of its reason
            [IGNORED, 101, 2, IGNORED, IGNORED, IGNORED],  # a short answer "2": no score
            [IGNORED, 9, 101, 8, 7, 2],  # a caption with a number in it
        ]
    )
    batch = Batch(torch.zeros_like(targets), targets, torch.zeros(3, 16, 4))
    changed = _expecting(_Sure(scores), batch, scores).targets
    expected = targets.clone()
    expected[0, 1] = scores[69]  # 70 is no token of its own
    assert torch.equal(changed, expected)
