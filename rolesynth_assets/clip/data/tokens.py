"""The tokens of captions, each of which is tokenized once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet


def count_cut(tokenizer: Any, texts: Sequence[str], rows: Tensor) -> int:
    """Return how many texts are longer than the context, so that their end is cut off.

    Args:
        tokenizer: open_clip's tokenizer.
        texts: the texts.
        rows: their tokens, of shape (texts, context).
    """
    full = [texts[i] for i in torch.nonzero(rows[:, -1]).flatten().tolist()]
    if not full:
        return 0
    longer = tokenizer(full, context_length=rows.shape[1] + 1)
    return int(torch.count_nonzero(longer[:, -1]))


class TokenSource:
    """Tokens of a training set's captions by row index.

    Attributes:
        cut: how many of the captions tokenized so far are longer than the context.

    Tokenizing is slow Python code, so tokens are cached without their padding. The cache takes
    about 4 bytes a token and 150 bytes a caption, or 0.6 GB for a million long captions.
    """

    def __init__(self, training_set: TrainingSet, tokenizer: Any) -> None:
        """Prepare an empty cache.

        Args:
            training_set: the set whose captions are tokenized.
            tokenizer: open_clip's tokenizer, from a list of texts to (texts, context) tokens.
        """
        self._set = training_set
        self._tokenizer = tokenizer
        self._known: dict[int, np.ndarray] = {}
        self.cut = 0

    @property
    def tokenized(self) -> int:
        """How many captions have been tokenized so far."""
        return len(self._known)

    def batch(self, texts: np.ndarray) -> Tensor:
        """Return int64 tokens of shape (M, context) for caption row indices of shape (M,)."""
        new = [i for i in dict.fromkeys(texts.tolist()) if i not in self._known]
        if new:
            captions = self._set.captions(np.array(new))
            tokenized = self._tokenizer(captions)
            self.cut += count_cut(self._tokenizer, captions, tokenized)
            for index, row in zip(new, tokenized.numpy().astype(np.int32), strict=True):
                self._known[index] = np.trim_zeros(row, "b")  # padding is zeros at the end
        tokens = torch.zeros((len(texts), self._context), dtype=torch.int64)
        for place, index in enumerate(texts.tolist()):
            known = self._known[index]
            tokens[place, : len(known)] = torch.from_numpy(known)
        return tokens

    @property
    def _context(self) -> int:
        return self._tokenizer.context_length
