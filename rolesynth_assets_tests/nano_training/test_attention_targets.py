import pytest
import torch

from rolesynth_assets.embedded.nano.architecture import IMAGE_TOKENS, embed, rope_positions
from rolesynth_assets.embedded.world.figures import Bar, BarChart, Colour
from rolesynth_assets.nano_training.attention_targets import Gaze, Looks, looks, named_things
from rolesynth_assets.nano_training.language_stage import encode_lessons
from rolesynth_assets.nano_training.lessons import Lesson
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

WORLD = scene(thing("dog", "top left"))
CHART = BarChart((Bar(0, Colour.RED, 9), Bar(2, Colour.BLUE, 1)))


def _looks(tokenizer, question, picture):
    """Where the words of one question look: ``{word: cells}``, -1 the token before the image."""
    ids, _ = encode_lessons(tokenizer, [Lesson("You look.", question, "yes")])
    image = tokenizer.token_to_id("<|image_pad|>")
    begin = ids[0].tolist().index(image)
    found = looks(ids, [picture], named_things(tokenizer), image)
    return {
        tokenizer.decode([ids[0, column]]).strip(): (torch.nonzero(row).flatten() - begin).tolist()
        for column, row in zip(found.columns.tolist(), found.targets, strict=True)
    }


def test_a_word_looks_at_the_cells_that_show_it(tokenizer):
    assert _looks(tokenizer, "Is the dog left or right of the fox?", WORLD) == {
        "dog": [0, 1, 4],
        "fox": [-1],
    }
    assert _looks(tokenizer, "Is there a dog?", WORLD) == {"dog": [0, 1, 4]}


def test_a_colour_looks_at_the_bars_that_have_it(tokenizer):
    found = _looks(tokenizer, "What is the value of the red bar?", CHART)
    assert found["red"] == [0, 4, 5, 8, 9, 12]
    assert found["bar"] == [0, 4, 5, 8, 9, 12, 14]


def test_colours_of_objects_are_not_looked_for(tokenizer):
    assert _looks(tokenizer, "A brown dog.", WORLD) == {"dog": [0, 1, 4]}


def test_the_loss_is_the_attention_that_misses_its_place(nano):
    ids = torch.tensor([[5, *[nano.config.image_token_id] * IMAGE_TOKENS, 7, 9]])
    gaze = Gaze(nano)
    with torch.no_grad():
        nano.model.language_model(
            inputs_embeds=embed(nano, ids, torch.randn(1, IMAGE_TOKENS, 192)),
            position_ids=rope_positions(ids, nano.config.image_token_id),
        )

        def loss(target: torch.Tensor) -> float:
            wanted = Looks(torch.tensor([0]), torch.tensor([IMAGE_TOKENS + 1]), target[None])
            return gaze.loss(wanted).item()

        seen = torch.arange(ids.shape[1]) <= IMAGE_TOKENS + 1
        part = torch.arange(ids.shape[1]) < 4
        assert loss(seen) == pytest.approx(0, abs=1e-5)  # every place that can be seen
        assert loss(part) > 0
        split = torch.exp(torch.tensor([-loss(part), -loss(seen & ~part)]))
        assert 0.5 < float(split.sum()) <= 1 + 1e-5  # geometric means over the heads
    gaze.close()
