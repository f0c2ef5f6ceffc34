from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.transformer import Transformer

from rolesynth_assets.clip.features import fused_blocks as fused
from rolesynth_assets.clip.features.fused_blocks import fused_blocks, residual_block

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 16, "head_width": 8, "patch_size": 4},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 50,
        "width": 16,
        "heads": 2,
        "layers": 2,
        "ls_init_value": 0.5,
    },
}


@pytest.fixture(params=[False, True], ids=["CLIP", "CustomTextCLIP"])
def clip(request) -> torch.nn.Module:
    torch.manual_seed(0)
    build = open_clip.model.CustomTextCLIP if request.param else open_clip.model.CLIP
    return build(**TINY).double()


def loss(clip) -> tuple[torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(3, 3, 16, 16, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 50, (5, 12), generator=generator)
    found = clip.encode_image(pixels).square().sum() + clip.encode_text(tokens).pow(3).sum()
    used = [p for p in clip.parameters() if p.numel() > 1]
    return found, list(torch.autograd.grad(found, used))


def test_features_and_gradients_are_those_of_open_clips_blocks(clip, monkeypatch):
    expected, gradients = loss(clip)
    calls = []

    def counted(*args):
        calls.append(args[2])
        return residual_block(*args)

    monkeypatch.setattr(fused, "residual_block", counted)
    with fused_blocks(clip, compiled=False):
        found, ours = loss(clip)
    assert calls == [False, False, True, True]  # two blocks of each tower; text sees no later one
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    calls.clear()
    assert loss(clip)[0] == expected and not calls  # and open_clip's own are back


def test_one_graph_without_breaks_serves_every_block(clip, monkeypatch):
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    monkeypatch.setattr(
        fused,
        "compiled_block",
        lambda causal: torch.compile(
            residual_block, fullgraph=True, dynamic=causal or None, backend=backend
        ),
    )
    torch._dynamo.reset()
    expected, gradients = loss(clip)
    with fused_blocks(clip, compiled=True):
        found, ours = loss(clip)
    assert 0 < len(graphs) <= 2  # one for each tower
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_blocks_of_another_kind_and_masks_that_are_not_causal_stay(clip, monkeypatch):
    tower = getattr(clip, "text", clip)
    tower.attn_mask = torch.zeros_like(tower.attn_mask)
    clip.visual.transformer.resblocks[1].attn.dropout = 0.1
    changed = []
    monkeypatch.setattr(fused, "residual_block", lambda b, x, c: changed.append(b) or x)
    with fused_blocks(clip, compiled=False):
        loss_of = Transformer.forward(clip.visual.transformer, torch.randn(2, 3, 16).double())
        tower.transformer(torch.randn(2, 3, 16).double())
    assert loss_of.shape == (2, 3, 16)
    assert changed == [clip.visual.transformer.resblocks[0]]
