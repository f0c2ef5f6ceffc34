"""From captions to tokens, each caption tokenized once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet


class TokenSource:
    """Tokens of a training set's captions by row index.

    Tokenizing is slow Python, so tokens are remembered without their padding: about 4 bytes a
    token and 150 a caption, 0.6 GB for a million long captions.
    """

    def __init__(self, training_set: TrainingSet, tokenizer: Any) -> None:
        """Tokenize nothing yet.

        Args:
            training_set: whose captions are tokenized.
            tokenizer: open_clip's, from a list of texts to (texts, context) tokens.
        """
        self._set = training_set
        self._tokenizer = tokenizer
        self._known: dict[int, np.ndarray] = {}

    def batch(self, texts: np.ndarray) -> Tensor:
        """Return int64 tokens of shape (M, context) for caption row indices of shape (M,)."""
        new = [i for i in dict.fromkeys(texts.tolist()) if i not in self._known]
        if new:
            rows = self._tokenizer(self._set.captions(np.array(new))).numpy().astype(np.int32)
            for index, row in zip(new, rows, strict=True):
                self._known[index] = np.trim_zeros(row, "b")  # padding is zeros at the end
        tokens = torch.zeros((len(texts), self._context), dtype=torch.int64)
        for place, index in enumerate(texts.tolist()):
            known = self._known[index]
            tokens[place, : len(known)] = torch.from_numpy(known)
        return tokens

    @property
    def _context(self) -> int:
        return self._tokenizer.context_length
