"""The fast paths of the nano MLLM against Hugging Face's own."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from rolesynth_assets.embedded.nano.architecture import (
    GRID,
    IMAGE_TOKENS,
    MERGE,
    PATCH,
    SIDE,
    embed,
    encode_images,
    normalise,
    read_pixels,
    rope_positions,
    to_patches,
)
from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats
from rolesynth_assets.embedded.world.scenes import draw, draw_halved, encode, sample_scene

PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def processed():
    """The images as Qwen's own preprocessing hands them to the model."""
    from transformers import Qwen2VLImageProcessor

    processor = Qwen2VLImageProcessor(
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
        do_resize=False,
    )
    return processor(images=[Image.fromarray(p) for p in PIXELS], return_tensors="pt")


@pytest.fixture(scope="module")
def ids(tokenizer) -> torch.Tensor:
    """Token ids of three requests with an image, padded on the right."""
    asked = ["How many dogs?", "Say in plain words what the picture shows.", "Where?"]
    rows = encode_chats(tokenizer, [Chat("You look.", a) for a in asked])
    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def test_patches_are_those_of_the_image_processor(processed) -> None:
    ours = to_patches(normalise(torch.from_numpy(PIXELS).float()))
    theirs = processed["pixel_values"].view(3, GRID * GRID, 3, 2, PATCH * PATCH)
    for frame in (0, 1):  # an image stands in both frames of the temporal patch
        torch.testing.assert_close(theirs[:, :, :, frame].flatten(2), ours, atol=1e-5, rtol=1e-5)
    assert processed["image_grid_thw"].tolist() == [[1, GRID, GRID]] * 3


def test_the_tower_equals_the_plain_forward_pass(nano, processed) -> None:
    with torch.inference_mode():
        ours = encode_images(nano.model.visual, normalise(torch.from_numpy(PIXELS).float()))
        theirs = nano.model.visual(processed["pixel_values"], processed["image_grid_thw"])
    expected = theirs.pooler_output.view(3, IMAGE_TOKENS, -1)
    assert expected.std() > 1e-2
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-3)
    assert (expected[0] - expected[1]).abs().max() > 0.01  # different images, different tokens


def test_positions_equal_the_plain_ones(nano, ids, processed) -> None:
    token = nano.config.image_token_id
    theirs, _ = nano.model.get_rope_index(ids, (ids == token).int(), processed["image_grid_thw"])
    assert torch.equal(rope_positions(ids, token), theirs)
    text = torch.tensor([[9, 8, 7, 6]])
    assert rope_positions(text, token).tolist() == [[[0, 1, 2, 3]]] * 3


def test_logits_equal_the_plain_forward_pass(nano, ids, processed) -> None:
    is_image = ids == nano.config.image_token_id
    with torch.inference_mode():
        images = encode_images(nano.model.visual, normalise(torch.from_numpy(PIXELS).float()))
        ours = nano.lm_head(
            nano.model.language_model(
                inputs_embeds=embed(nano, ids, images),
                position_ids=rope_positions(ids, nano.config.image_token_id),
            ).last_hidden_state
        )
        theirs = nano(
            input_ids=ids,
            pixel_values=processed["pixel_values"],
            image_grid_thw=processed["image_grid_thw"],
            mm_token_type_ids=is_image.int(),
        ).logits
        blank = nano(
            input_ids=ids,
            pixel_values=torch.zeros_like(processed["pixel_values"]),
            image_grid_thw=processed["image_grid_thw"],
            mm_token_type_ids=is_image.int(),
        ).logits
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert (blank - theirs)[:, -1].abs().max() > 0.01  # the image matters to what comes last


def test_an_image_file_is_read_as_the_training_draws_it() -> None:
    scenes = [sample_scene(4, index) for index in range(4)]
    read = read_pixels([encode(draw(s)) for s in scenes])
    drawn = normalise(torch.from_numpy(np.stack([draw_halved(s) for s in scenes])))
    assert read.shape == (4, 3, SIDE, SIDE)
    # a JPEG blurs edges, so on average: under 3 of 255 levels
    assert (read - drawn).abs().mean() < 3 / 255 / 0.25


def test_any_shape_and_mode_of_image_is_read() -> None:
    files = []
    for mode, size in (("L", (30, 200)), ("RGBA", (500, 90)), ("P", (112, 112))):
        buffer = io.BytesIO()
        Image.new("RGB", size, (255, 255, 255)).convert(mode).save(buffer, "PNG")
        files.append(buffer.getvalue())
    pixels = read_pixels(files)
    assert pixels.shape == (3, 3, SIDE, SIDE)
    torch.testing.assert_close(pixels, torch.full_like(pixels, 2.0))  # white: (1 - 0.5) / 0.25
