from functools import partial

import pytest
import torch
import torch.nn.functional as F

from rolesynth_assets.clip.features.gradient_caching import (
    PartMemory,
    encode_in_parts,
    last_that_fit,
)
from rolesynth_assets.clip.loss import multi_positive_loss

IMAGES, CAPTIONS = 7, 3


@pytest.fixture
def towers():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 6), torch.nn.GELU(), torch.nn.Linear(6, 4)]
    return torch.nn.Sequential(*layers).double(), torch.nn.Linear(3, 4).double()


def gradients(towers, micro_batch, kept=0):
    """The loss of one batch, its gradients, and how many rows each call of a tower saw."""
    seen = []
    hooks = [t.register_forward_pre_hook(lambda _, i: seen.append(len(i[0]))) for t in towers]
    generator = torch.Generator().manual_seed(1)
    pixels, tokens = (
        torch.randn(n, d, generator=generator, dtype=torch.float64)
        for n, d in ((IMAGES, 5), (IMAGES * CAPTIONS, 3))
    )
    scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    parts = [
        partial(tower, some)
        for tower, rows in zip(towers, (pixels, tokens), strict=True)
        for some in rows.split(micro_batch or len(rows))
    ]
    features = encode_in_parts(parts, len(parts) if micro_batch is None else kept)
    count = len(pixels.split(micro_batch or len(pixels)))
    images, texts = (
        F.normalize(torch.cat(some), dim=-1) for some in (features[:count], features[count:])
    )
    owners = torch.arange(IMAGES).repeat_interleave(CAPTIONS)
    loss = multi_positive_loss(images, texts, scale, torch.arange(IMAGES), owners)
    parameters = [scale, *(p for tower in towers for p in tower.parameters())]
    found = torch.autograd.grad(loss, parameters)
    for hook in hooks:
        hook.remove()
    return loss, found, seen


@pytest.mark.parametrize(("micro_batch", "kept"), [(1, 0), (3, 0), (3, 2), (7, 1), (20, 2)])
def test_parts_have_the_gradients_of_the_whole_batch(towers, micro_batch, kept):
    whole, expected, _ = gradients(towers, None)
    loss, found, _ = gradients(towers, micro_batch, kept)
    assert torch.allclose(loss, whole, rtol=1e-12)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-14)


def test_a_part_is_encoded_once_ahead_and_once_for_its_gradient(towers):
    *_, seen = gradients(towers, 4)
    images, captions = (4, 3), (4, 4, 4, 4, 4, 1)
    parts = [*images, *captions]
    assert seen[: len(parts)] == parts
    assert sorted(seen) == sorted(parts * 2)
    *_, seen = gradients(towers, 4, kept=3)
    assert sorted(seen) == sorted(parts + parts[:-3])
    *_, seen = gradients(towers, None)
    assert seen == [7, 21]


def test_the_last_parts_are_kept_that_fit():
    assert last_that_fit([5, 3, 2], 0) == 0
    assert last_that_fit([5, 3, 2], 4.9) == 1
    assert last_that_fit([5, 3, 2], 5) == 2
    assert last_that_fit([5, 3, 2], 100) == 3
    assert last_that_fit([1, 9, 2], -1) == 0


def test_a_cpu_keeps_no_part():
    memory = PartMemory(torch.device("cpu"))
    assert memory.kept([("image", 4)], [lambda: torch.zeros(4, 2)]) == 0
    assert not memory.keep_fewer()
