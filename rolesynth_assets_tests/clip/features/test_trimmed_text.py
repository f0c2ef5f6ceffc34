from typing import Any

import open_clip
import pytest
import torch

from rolesynth_assets.clip.features.trimmed_text import by_length, encode_text, is_trimmable

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 248, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
CAPTIONS = ["a dog!", "two red boats on a blue lake " * 8, "!", "a cat and a hat", "x " * 400]


def model(kind: Any = open_clip.CLIP, **text_cfg):
    torch.manual_seed(0)
    made = kind(**{**CONFIG, "text_cfg": {**CONFIG["text_cfg"], **text_cfg}})
    return made.double().eval()


@pytest.fixture(scope="module")
def tokens():
    return open_clip.SimpleTokenizer(context_length=248)(CAPTIONS)


@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
@pytest.mark.parametrize("parts", [1, 2])
def test_trimmed_features_equal_the_full_context(kind, parts, tokens):
    clip = model(kind)
    tokens = tokens[:4]  # without the caption that fills the context, so that there is padding
    short = encode_text(clip, tokens, parts)
    torch.testing.assert_close(short, clip.encode_text(tokens), rtol=0, atol=1e-12)


def test_gradients_equal_the_full_context(tokens):
    clip = model()
    clip.encode_text(tokens).square().sum().backward()
    full = {n: p.grad.clone() for n, p in clip.named_parameters() if p.grad is not None}
    clip.zero_grad()
    encode_text(clip, tokens, 2).square().sum().backward()
    for name, parameter in clip.named_parameters():
        if name in full:
            torch.testing.assert_close(parameter.grad, full[name], rtol=0, atol=1e-12)


def test_fewer_tokens_are_computed_on(tokens):
    clip = model()
    seen = []
    clip.transformer.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    encode_text(clip, tokens[[0, 3]])
    assert seen == [int(tokens[3].argmax()) + 1]


def test_a_tower_that_sees_its_padding_is_run_on_all_of_it(tokens):
    clip = model(open_clip.CustomTextCLIP, no_causal_mask=True)
    assert not is_trimmable(clip)
    torch.testing.assert_close(encode_text(clip, tokens, 2), clip.encode_text(tokens))


def test_groups_hold_every_caption_once_and_few_tokens():
    ends = torch.tensor([3, 15, 4, 0, 9, 14, 4, 4])
    groups = by_length(ends, 40)
    assert sorted(torch.cat(groups).tolist()) == list(range(8))
    found = [sorted(ends[rows].tolist(), reverse=True) for rows in groups]
    assert found == [[15, 14], [9], [4, 4, 4, 3], [0]]  # neighbours of 3/4 the length or more
    assert [len(rows) for rows in by_length(ends, 10)] == [1, 1, 1, 2, 2, 1]  # full
    assert [len(rows) for rows in by_length(ends, 1)] == [1] * 8  # longer ones are alone
