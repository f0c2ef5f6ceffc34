from __future__ import annotations

import pytest
import torch

from rolesynth_assets.embedded.nano.decoder import SPARE, Decoder, Tokens

ROWS = ([5, 6, 7, 8, 9], [11, 12], [7, 7, 30])


def plain_logits(nano, rows: list[list[int]]) -> torch.Tensor:
    """Logits after each row's last token, each row alone through the plain classes."""
    with torch.inference_mode():
        return torch.cat([nano(input_ids=torch.tensor([row])).logits[:, -1] for row in rows])


def tokens_of(nano, rows: list[list[int]], skip: list[int]) -> Tokens:
    """The tokens of text-only rows from `skip` on."""
    kept = [(r, c) for r, row in enumerate(rows) for c in range(skip[r], len(row))]
    columns = torch.tensor([c for _, c in kept])
    ids = torch.tensor([rows[r][c] for r, c in kept])
    counts = torch.tensor([len(row) - s for row, s in zip(rows, skip, strict=True)])
    return Tokens(
        nano.get_input_embeddings()(ids),
        torch.tensor([r for r, _ in kept]),
        columns,
        columns.expand(3, -1),
        counts.cumsum(0) - 1,
    )


def step(nano, decoder: Decoder, ids: list[int], positions: list[int]) -> torch.Tensor:
    states = nano.get_input_embeddings()(torch.tensor(ids))
    return decoder.step(states, torch.tensor(positions))


@torch.inference_mode()
def test_rows_of_different_lengths_read_at_once_or_in_two_parts(nano) -> None:
    rows = list(map(list, ROWS))
    whole, parts = Decoder(nano, 3), Decoder(nano, 3)
    expected = plain_logits(nano, rows)
    assert torch.allclose(whole.read(tokens_of(nano, rows, [0, 0, 0])), expected, atol=1e-4)
    parts.read(tokens_of(nano, [row[:1] for row in rows], [0, 0, 0]))
    assert torch.allclose(parts.read(tokens_of(nano, rows, [1, 1, 1])), expected, atol=1e-4)


@torch.inference_mode()
def test_steps_go_on_with_the_sequences_selected(nano) -> None:
    rows = list(map(list, ROWS))
    decoder = Decoder(nano, 3)
    decoder.read(tokens_of(nano, rows, [0, 0, 0]))
    step(nano, decoder, [20, 21, 22], [5, 2, 3])
    decoder.select(torch.tensor([2, 0, 0]))
    got = step(nano, decoder, [23, 24, 25], [4, 6, 6])
    wanted = [[*ROWS[2], 22, 23], [*ROWS[0], 20, 24], [*ROWS[0], 20, 25]]
    assert torch.allclose(got, plain_logits(nano, wanted), atol=1e-4)


@torch.inference_mode()
def test_more_steps_than_columns_were_set_aside(nano) -> None:
    decoder, row = Decoder(nano, 1), [3]
    logits = decoder.read(tokens_of(nano, [row], [0]))
    for position in range(1, SPARE + 5):
        row = [*row, position % 7]
        logits = step(nano, decoder, [row[-1]], [position])
    assert logits == pytest.approx(plain_logits(nano, [row]), abs=1e-4)
