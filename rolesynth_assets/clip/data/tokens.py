"""The tokens of captions, each of which is tokenized once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet


class TokenSource:
    """Tokens of a training set's captions by row index.

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
