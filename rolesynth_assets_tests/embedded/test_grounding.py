import numpy as np
import torch

from rolesynth_assets.embedded.grounding import (
    CELLS,
    LARGE,
    NOTHING,
    SMALL,
    GroundingHead,
    centres,
    one_cycle,
    shown_in_grid,
)
from rolesynth_assets.embedded.judging import _expecting
from rolesynth_assets.embedded.kinds import KINDS
from rolesynth_assets.embedded.language import IGNORED, Batch
from rolesynth_assets.embedded.nano import GRID, MERGE, PATCH, SIDE, to_patches
from rolesynth_assets.embedded.scenes import Background, Size
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


def test_the_labels_stand_in_the_order_of_the_patches():
    number = torch.arange(GRID * GRID).view(GRID, GRID)
    image = number.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1).float()
    order = to_patches(image.expand(1, 3, SIDE, SIDE))[0, :, 0].long()
    # a head whose read-out is perfect in that order has next to no loss
    fine = torch.from_numpy(shown_in_grid(WORLD, GRID)).flatten()[order]
    assert torch.equal(number.view(CELLS, MERGE, CELLS, MERGE).transpose(1, 2).flatten(), order)
    labels = len(KINDS) + len(Background)
    head = GroundingHead(labels, labels + 3 + CELLS * CELLS)
    with torch.no_grad():
        parts = (head.patch_shown, head.cell_shown, head.cell_centre, head.cell_place)
        for layer, first in zip(parts, (0, 0, labels, labels + 3), strict=True):
            layer.bias.zero_()
            layer.weight.zero_()
            columns = torch.arange(layer.out_features)
            layer.weight[columns, first + columns] = 1
    one_hot = torch.nn.functional.one_hot
    coarse = torch.from_numpy(shown_in_grid(WORLD, CELLS)).flatten()
    tokens = torch.cat(
        [
            one_hot(coarse, labels),
            one_hot(torch.from_numpy(centres(WORLD)), 3),
            torch.eye(CELLS * CELLS),
        ],
        dim=1,
    )
    loss, accuracy = head(50 * one_hot(fine, labels).float()[None], 50 * tokens[None], [WORLD])
    assert loss < 1e-6
    assert accuracy == 1.0


def test_the_learning_rate_warms_up_and_falls():
    rates = [one_cycle(step, 500) for step in range(500)]
    assert np.argmax(rates) in (59, 60)
    assert rates[0] < 0.02
    assert max(rates) == 1
    assert 0.03 <= rates[-1] < 0.031
    assert np.all(np.diff(rates[60:]) < 0)


class _Sure:
    """A frozen model that divides its belief between the scores 40 and 80."""

    def __init__(self, vocabulary: int, scores: torch.Tensor) -> None:
        self.logits = torch.full((vocabulary,), -50.0)
        self.logits[scores[39]] = 0.0
        self.logits[scores[79]] = np.log(3.0)  # 40 at 1/4 and 80 at 3/4: 70 is expected

    def lm_head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(hidden), -1)


def test_the_expected_score_replaces_the_first_one_of_a_judgement(monkeypatch):
    scores = torch.arange(100, 200)
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
    changed = _expecting(_Sure(300, scores), batch, scores).targets
    expected = targets.clone()
    expected[0, 1] = scores[69]
    assert torch.equal(changed, expected)
