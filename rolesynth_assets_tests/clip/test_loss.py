import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.clip.loss import LOSS_FUNCTIONS, info_nce_loss, multi_positive_loss
from rolesynth_assets.clip.recipe import Loss
from rolesynth_assets_tests.property_profiles import examples


def features(rows: int, seed: int, width: int = 6) -> torch.Tensor:
    made = torch.randn(
        rows, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return made.requires_grad_()


def naive(images, texts, scale, image_groups, text_groups):
    """The published formula with three loops and no vector operation over rows."""
    n, m = len(images), len(texts)
    s = [[scale * images[i] @ texts[j] for j in range(m)] for i in range(n)]
    positive = [[image_groups[i] == text_groups[j] for j in range(m)] for i in range(n)]
    i2t = t2i = 0.0
    for i in range(n):
        own = sum(positive[i])
        for j in range(m):
            if positive[i][j]:
                denominator = sum((torch.exp(s[i][k]) for k in range(m)), torch.tensor(0.0))
                i2t = i2t - (s[i][j] - torch.log(denominator)) / own / n
    for j in range(m):
        own = sum(positive[i][j] for i in range(n))
        for i in range(n):
            if positive[i][j]:
                denominator = sum((torch.exp(s[k][j]) for k in range(n)), torch.tensor(0.0))
                t2i = t2i - (s[i][j] - torch.log(denominator)) / own / m
    return (i2t + t2i) / 2


def gradients(loss, *leaves):
    return torch.autograd.grad(loss, leaves, retain_graph=True)


def assert_same(first, second, leaves):
    torch.testing.assert_close(first, second, rtol=0, atol=1e-12)
    for a, b in zip(gradients(first, *leaves), gradients(second, *leaves), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def unit(x):
    return F.normalize(x, dim=-1)


@examples(20)
@given(owners=st.lists(st.integers(0, 4), min_size=2, max_size=9), seed=st.integers(0, 1000))
def test_on_the_square_layout_it_is_info_nce_in_value_and_gradient(owners, seed):
    groups = torch.tensor(owners)
    images, texts = features(5, seed), features(len(owners), seed + 1)
    log_scale = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    rows = unit(images)[groups]  # rows of one image carry the same features
    ours = multi_positive_loss(rows, unit(texts), log_scale.exp(), groups, groups)
    plain = info_nce_loss(rows, unit(texts), log_scale.exp())
    assert_same(ours, plain, [images, texts, log_scale])


@examples(20)
@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_ragged_rectangular_batches_match_the_triple_loop(counts, seed):
    owners = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    shuffled = owners[torch.randperm(len(owners), generator=torch.Generator().manual_seed(seed))]
    images, texts = features(len(counts), seed), features(len(owners), seed + 1)
    log_scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    args = (unit(images), unit(texts), log_scale.exp(), torch.arange(len(counts)), shuffled)
    assert_same(multi_positive_loss(*args), naive(*args), [images, texts, log_scale])


def test_the_rectangular_layout_is_another_objective_where_images_differ_in_captions():
    owners = torch.tensor([0, 0, 0, 1, 2])
    images, texts = features(3, 1), features(5, 2)
    scale = torch.tensor(10.0, dtype=torch.float64)
    ours = multi_positive_loss(unit(images), unit(texts), scale, torch.arange(3), owners)
    repeated = info_nce_loss(unit(images)[owners], unit(texts), scale)
    (a,), (b,) = gradients(ours, images), gradients(repeated, images)
    assert float((a - b).abs().max()) > 1e-2


def test_with_equally_many_captions_its_gradient_is_that_of_info_nce_over_repeated_images():
    owners = torch.arange(4).repeat_interleave(3)
    images, texts = features(4, 1), features(12, 2)
    scale = torch.tensor(10.0, dtype=torch.float64)
    ours = multi_positive_loss(unit(images), unit(texts), scale, torch.arange(4), owners)
    repeated = info_nce_loss(unit(images)[owners], unit(texts), scale)
    for a, b in zip(
        gradients(ours, images, texts), gradients(repeated, images, texts), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    # in value they differ by the repeats in the text-to-image denominator
    assert float((repeated - ours).detach()) == pytest.approx(math.log(3) / 2, abs=1e-12)


def test_it_is_symmetric_in_images_and_texts():
    owners = torch.tensor([0, 1, 1, 2])
    images, texts = unit(features(3, 1)), unit(features(4, 2))
    scale = torch.tensor(5.0, dtype=torch.float64)
    there = multi_positive_loss(images, texts, scale, torch.arange(3), owners)
    back = multi_positive_loss(texts, images, scale, owners, torch.arange(3))
    torch.testing.assert_close(there, back, rtol=0, atol=1e-13)


def test_the_temperature_is_not_clamped():
    images, texts = unit(features(3, 1)), unit(features(3, 2))
    log_scale = torch.tensor(math.log(300.0), dtype=torch.float64, requires_grad=True)
    groups = torch.arange(3)
    loss = multi_positive_loss(images, texts, log_scale.exp(), groups, groups)
    assert_same(loss, naive(images, texts, log_scale.exp(), groups, groups), [log_scale])
    assert float(gradients(loss, log_scale)[0]) != 0  # CLIP's clamp at 100 would make it zero


def test_low_precision_features_are_compared_in_float32():
    images, texts = unit(features(4, 1)).bfloat16(), unit(features(4, 2)).bfloat16()
    groups = torch.arange(4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = multi_positive_loss(images, texts, torch.tensor(100.0), groups, groups)
    expected = multi_positive_loss(
        images.float(), texts.float(), torch.tensor(100.0), groups, groups
    )
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_every_loss_of_a_recipe_has_its_function():
    assert set(LOSS_FUNCTIONS) == set(Loss)
    images, groups = torch.eye(3), torch.arange(3)
    values = {
        loss: f(images, images, torch.tensor(1.0), groups, groups)
        for loss, f in LOSS_FUNCTIONS.items()
    }
    assert values[Loss.INFONCE] == pytest.approx(values[Loss.MULTI_POSITIVE])


def test_rows_without_a_partner_are_refused():
    scale = torch.tensor(1.0)
    with pytest.raises(ValueError, match="at least one positive"):
        multi_positive_loss(
            features(3, 1), features(2, 2), scale, torch.arange(3), torch.tensor([0, 1])
        )
    with pytest.raises(ValueError, match="3 images and 2 texts"):
        info_nce_loss(features(3, 1), features(2, 2), scale)
