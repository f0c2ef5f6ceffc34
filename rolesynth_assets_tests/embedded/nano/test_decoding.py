from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rolesynth_assets.embedded.nano.architecture import encode_images, normalise, to_patches
from rolesynth_assets.embedded.nano.decoding import Completion, Prompt, _draw, complete_batch
from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats
from rolesynth_assets.mllm.engine import Sampling

GREEDY = Sampling(0.0, 1.0, 12)
WARM = Sampling(1.0, 0.9, 12)
ASKED = ("Where?", "How many dogs are there in the picture?", "Say it.", "What size is the fox?")


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    noise = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3)).astype(np.float32)
    return normalise(torch.from_numpy(noise))


@pytest.fixture(scope="module")
def image_tokens(nano, pixels) -> torch.Tensor:
    with torch.inference_mode():
        return encode_images(nano.model.visual, pixels)


@pytest.fixture(scope="module")
def prompts(tokenizer) -> list[Prompt]:
    """Requests of different lengths about the two images in turn."""
    rows = encode_chats(tokenizer, [Chat("You look.", asked) for asked in ASKED])
    assert len({len(row) for row in rows}) > 2
    return [Prompt(row, at % 2, GREEDY, seed=at) for at, row in enumerate(rows)]


def generated(nano, prompts, pixels, end: int) -> list[Completion]:
    """What `generate` of the plain classes writes."""
    pad = nano.config.text_config.pad_token_id
    longest = max(len(p.ids) for p in prompts)
    ids = torch.tensor([[pad] * (longest - len(p.ids)) + p.ids for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p.ids)) + [1] * len(p.ids) for p in prompts])
    shown = to_patches(pixels[[p.image for p in prompts]])
    both_frames = shown.view(-1, 3, 1, 196).expand(-1, 3, 2, 196).reshape(-1, 3 * 2 * 196)
    written = nano.generate(
        input_ids=ids,
        attention_mask=mask,
        pixel_values=both_frames,
        image_grid_thw=torch.tensor([[1, 8, 8]] * len(prompts)),
        mm_token_type_ids=(ids == nano.config.image_token_id).int(),
        do_sample=False,
        max_new_tokens=GREEDY.max_tokens,
        eos_token_id=end,
        pad_token_id=pad,
    )
    rows = [row[longest:].tolist() for row in written]
    return [Completion(r[: r.index(end)], True) if end in r else Completion(r) for r in rows]


def test_greedy_decoding_equals_generate(nano, prompts, pixels, image_tokens, monkeypatch) -> None:
    free = complete_batch(nano, prompts, image_tokens)
    assert len({i for a in free for i in a.ids}) > 8  # no dull repetition of one token
    # an end token that one answer meets on its way, so that rows leave the batch early
    end = next(i for at, i in enumerate(free[1].ids) if at >= 3 and i not in free[1].ids[:at])
    monkeypatch.setattr(nano.config.text_config, "eos_token_id", end)
    ours = complete_batch(nano, prompts, image_tokens)
    assert ours == generated(nano, prompts, pixels, end)
    assert ours[1].ended
    assert not all(a.ended for a in ours)


def test_the_image_decides_the_answer(nano, prompts, image_tokens) -> None:
    warm = [p._replace(sampling=WARM) for p in prompts]
    swapped = [p._replace(image=1 - p.image) for p in warm]
    assert complete_batch(nano, warm, image_tokens) != complete_batch(nano, swapped, image_tokens)


def test_an_answer_depends_on_its_seed_and_not_on_its_batch(nano, prompts, image_tokens) -> None:
    warm = [p._replace(sampling=WARM) for p in prompts]
    together = complete_batch(nano, warm, image_tokens)
    assert together == [complete_batch(nano, [p], image_tokens)[0] for p in warm]
    assert complete_batch(nano, warm[::-1], image_tokens) == together[::-1]
    reseeded = complete_batch(nano, [p._replace(seed=p.seed + 9) for p in warm], image_tokens)
    assert all(a != b for a, b in zip(together, reseeded, strict=True))


def test_limits_hold_row_by_row(nano, prompts, image_tokens) -> None:
    limits = (1, 5, 3, 12)
    mixed = [
        p._replace(sampling=replace(WARM if n == 3 else GREEDY, max_tokens=n))
        for p, n in zip(prompts, limits, strict=True)
    ]
    answers = complete_batch(nano, mixed, image_tokens)
    assert [len(a.ids) for a in answers] == list(limits)
    assert not any(a.ended for a in answers)
    free = complete_batch(nano, prompts, image_tokens)
    for row in (0, 1, 3):  # the greedy ones are those of an unlimited batch
        assert answers[row].ids == free[row].ids[: limits[row]]


LOGITS = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))


def drawn(uniform: float, temperature: float = 1.0, top_p: float = 1.0) -> int:
    return int(_draw(LOGITS, [Sampling(temperature, top_p, 9)], np.array([uniform]))[0])


def test_a_draw_inverts_the_cumulative_distribution() -> None:
    assert [drawn(u) for u in (0.0, 0.49, 0.51, 0.79, 0.81, 0.94, 0.96)] == [0, 0, 1, 1, 2, 2, 3]


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    # 0.5 + 0.3 reach 0.7: two tokens, renormalised to 0.625 and 0.375
    assert [drawn(u, top_p=0.7) for u in (0.0, 0.62, 0.63, 0.999)] == [0, 0, 1, 1]
    assert {drawn(u, top_p=0.1) for u in (0.0, 0.5, 0.999)} == {0}


def test_a_uniform_that_rounds_to_one_stays_inside_the_nucleus() -> None:
    assert drawn(np.nextafter(1.0, 0.0), top_p=0.7) == 1


def test_temperature_flattens_or_sharpens() -> None:
    shares = {t: np.mean([drawn(u, t) == 0 for u in np.linspace(0, 0.999, 500)]) for t in (0.5, 2)}
    tempered = {
        t: (p := np.array([0.5, 0.3, 0.15, 0.05]) ** (1 / t))[0] / p.sum() for t in (0.5, 2)
    }
    assert shares == pytest.approx(tempered, abs=0.01)
    assert {drawn(u, temperature=0) for u in (0.0, 0.5, 0.999)} == {0}


def test_a_nucleus_wider_than_the_likeliest_tokens_reaches_every_token() -> None:
    flat = torch.zeros(1, 500)
    draws = np.linspace(0, 0.999, 1000)
    seen = {int(_draw(flat, [Sampling(1.0, 1.0, 9)], np.array([u]))[0]) for u in draws}
    assert len(seen) == 500
