import pytest
import torch

from rolesynth_assets.clip.positions import stretch, stretched_length


def published(old: torch.Tensor) -> list[torch.Tensor]:
    """The published formula, one point at a time."""
    new = [old[i] for i in range(20)]
    for i in range(20, 76):
        new += [old[i] + k / 4 * (old[i + 1] - old[i]) for k in range(4)]
    new += [old[76] + k / 4 * (old[76] - old[75]) for k in range(4)]
    return new


def test_every_point_follows_the_published_formula():
    old = torch.randn(77, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    new = stretch(old)
    assert new.shape == (248, 8)
    for place, wanted in enumerate(published(old)):
        torch.testing.assert_close(new[place], wanted, rtol=0, atol=1e-14)


def test_the_prefix_and_the_old_points_are_kept_to_the_last_bit():
    old = torch.randn(77, 5)
    new = stretch(old)
    assert torch.equal(new[:20], old[:20])
    assert torch.equal(new[20::4], old[20:])


def test_a_straight_line_stays_a_straight_line():
    line = torch.arange(77, dtype=torch.float64)[:, None]
    new = stretch(line)[:, 0]
    torch.testing.assert_close(new[20:], 20 + torch.arange(228, dtype=torch.float64) / 4)


def test_length_and_dtype():
    assert stretched_length(77) == 248
    assert stretch(torch.zeros(10, 3, dtype=torch.bfloat16), keep=4, factor=3).shape == (22, 3)
    assert stretch(torch.zeros(10, 3, dtype=torch.bfloat16), keep=4).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(21, 4), (248,), (1, 77, 4)])
def test_what_cannot_be_stretched_is_refused(shape):
    with pytest.raises(ValueError, match="cannot be stretched"):
        stretch(torch.zeros(shape))
