import numpy as np
import torch

from rolesynth_assets.embedded.nano.architecture import GRID, MERGE, PATCH, SIDE, to_patches
from rolesynth_assets.nano_training.attention_targets import Looks
from rolesynth_assets.nano_training.cell_labels import CELLS, WORDS
from rolesynth_assets.nano_training.judge_stage import _expecting
from rolesynth_assets.nano_training.language_stage import IGNORED, Batch
from rolesynth_assets.nano_training.tower_stage import one_cycle, tower_labels
from rolesynth_assets_tests.embedded.small_scenes import scene, thing


def test_the_labels_stand_in_the_order_of_the_patches():
    number = torch.arange(GRID * GRID).view(GRID, GRID)
    image = number.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1).float()
    order = to_patches(image.expand(1, 3, SIDE, SIDE))[0, :, 0].long()
    assert torch.equal(number.view(CELLS, MERGE, CELLS, MERGE).transpose(1, 2).flatten(), order)


def test_the_labels_of_pictures_stand_one_after_the_other():
    labels = tower_labels([scene(thing("dog", "top left")), scene(thing("fox", "top left"))])
    assert len(labels.patches) == 2 * GRID * GRID
    assert len(labels.cells.shown) == 2 * CELLS * CELLS
    assert WORDS[labels.patches[3]] == "dog"  # the lower right patch of the first cell
    assert WORDS[labels.cells.shown[0]] == "dog"
    assert WORDS[labels.cells.shown[CELLS * CELLS]] == "fox"


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
        "rolesynth_assets.nano_training.judge_stage.reply_hidden",
        lambda model, batch: torch.zeros(*batch.ids.shape, 4),
    )
    targets = torch.tensor(
        [
            [IGNORED, 197, 7, 8, 120, 2],  # a judgement; the later number is part of its reason
            [IGNORED, 101, 2, IGNORED, IGNORED, IGNORED],  # a short answer "2": no score
            [IGNORED, 9, 101, 8, 7, 2],  # a caption with a number in it
        ]
    )
    nowhere = Looks(torch.zeros(0).long(), torch.zeros(0).long(), torch.zeros(0, 6).bool())
    batch = Batch(torch.zeros_like(targets), targets, torch.zeros(3, 16, 4), nowhere)
    changed = _expecting(_Sure(scores), batch, scores).targets
    expected = targets.clone()
    expected[0, 1] = scores[69]  # 70 is no token of its own
    assert torch.equal(changed, expected)
