import pytest
import torch
import torch.nn.functional as F

from rolesynth_assets.clip.gradient_caching import encode_in_parts
from rolesynth_assets.clip.loss import multi_positive_loss

IMAGES, CAPTIONS = 7, 3


@pytest.fixture
def towers():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 6), torch.nn.GELU(), torch.nn.Linear(6, 4)]
    return torch.nn.Sequential(*layers).double(), torch.nn.Linear(3, 4).double()


def gradients(towers, micro_batch):
    """The loss of one batch, its gradients, and how many rows each call of a tower saw."""
    seen = []
    hooks = [t.register_forward_pre_hook(lambda _, i: seen.append(len(i[0]))) for t in towers]
    generator = torch.Generator().manual_seed(1)
    pixels, tokens = (
        torch.randn(n, d, generator=generator, dtype=torch.float64)
        for n, d in ((IMAGES, 5), (IMAGES * CAPTIONS, 3))
    )
    scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    images, texts = (
        F.normalize(encode_in_parts(tower, rows, micro_batch), dim=-1)
        for tower, rows in zip(towers, (pixels, tokens), strict=True)
    )
    owners = torch.arange(IMAGES).repeat_interleave(CAPTIONS)
    loss = multi_positive_loss(images, texts, scale, torch.arange(IMAGES), owners)
    parameters = [scale, *(p for tower in towers for p in tower.parameters())]
    found = torch.autograd.grad(loss, parameters)
    for hook in hooks:
        hook.remove()
    return loss, found, seen


@pytest.mark.parametrize("micro_batch", [1, 3, 7, 20])
def test_parts_have_the_gradients_of_the_whole_batch(towers, micro_batch):
    whole, expected, _ = gradients(towers, None)
    loss, found, _ = gradients(towers, micro_batch)
    assert torch.allclose(loss, whole, rtol=1e-12)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-14)


def test_a_part_is_encoded_once_ahead_and_once_for_its_gradient(towers):
    *_, seen = gradients(towers, 4)
    images, captions = (4, 3), (4, 4, 4, 4, 4, 1)
    parts = [*images, *captions]
    assert seen[: len(parts)] == parts
    assert sorted(seen) == sorted(parts * 2)
    *_, seen = gradients(towers, None)
    assert seen == [7, 21]
