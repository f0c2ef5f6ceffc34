"""The tokens of a training set's captions, made before the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.token_files import TokenBlock, in_memory, on_disk
from rolesynth_assets.clip.data.tokenizing import (
    cut_rows,
    encoder_of,
    token_type,
    tokenizer_identity,
)
from rolesynth_assets.progress import reporting
from rolesynth_assets.store.digests import digest

BLOCK = 20_000  # captions tokenized at a time


def count_cut(tokenizer: Any, texts: Sequence[str], rows: Tensor) -> int:
    """Return how many texts are longer than the context, so that their end is cut off.

    Args:
        tokenizer: open_clip's tokenizer.
        texts: the texts.
        rows: their tokens, of shape (texts, context).
    """
    return int(cut_rows(tokenizer, texts, rows).sum())


class TokenSource:
    """Tokens of a training set's captions by row index.

    They take 2 bytes a token, or 4 for a vocabulary of more than 65,536, and are mapped from a file
    where there is a place to keep it.
    """

    def __init__(
        self, training_set: TrainingSet, tokenizer: Any, kept: InputCache | None = None
    ) -> None:
        """Tokenize all captions, unless an earlier training has kept their tokens.

        Args:
            training_set: the set whose captions are tokenized.
            tokenizer: open_clip's tokenizer, from a list of texts to (texts, context) tokens.
            kept: where tokens are kept for later trainings.
        """
        self._set, self._tokenizer = training_set, tokenizer
        kind = token_type(tokenizer)
        if kept is None:
            self._tokens = in_memory(self._blocks(), kind)
        else:
            key = digest("tokens", training_set.digest, tokenizer_identity(tokenizer))
            images = training_set.image_ids
            self._tokens = on_disk(kept.root, key, images, self._blocks, kind)
        self._used = np.zeros(training_set.pairs, bool)

    @property
    def tokenized(self) -> int:
        """How many captions were counted so far."""
        return int(self._used.sum())

    @property
    def cut(self) -> int:
        """How many of these captions are longer than the context."""
        return int((self._used & self._tokens.cut).sum())

    def count(self, texts: np.ndarray) -> None:
        """Count captions, by row index, as trained on."""
        self._used[texts] = True

    def batch(self, texts: np.ndarray) -> Tensor:
        """Return int64 tokens of shape (M, context) for caption row indices of shape (M,)."""
        starts = self._tokens.offsets[texts]
        lengths = self._tokens.offsets[texts + 1] - starts
        rows = np.repeat(np.arange(len(texts)), lengths)
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tokens = np.zeros((len(texts), self._tokenizer.context_length), np.int64)
        tokens[rows, columns] = self._tokens.ids[starts[rows] + columns]
        return torch.from_numpy(tokens)

    def _blocks(self) -> Iterator[TokenBlock]:
        encode, pairs = encoder_of(self._tokenizer), self._set.pairs
        advance = reporting("tokenizing captions")
        for start in range(0, pairs, BLOCK):
            rows = np.arange(start, min(start + BLOCK, pairs))
            yield encode(self._set.captions(rows))
            advance(int(rows[-1]) + 1, pairs)
