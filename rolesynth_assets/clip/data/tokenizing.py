"""The tokens of many captions by open_clip's tokenizers, without their padding.

open_clip's own BPE cleans and splits each caption in Python. A caption of plain ASCII needs no
cleaning, and a word has the same tokens in each caption, so most of that work is done once a word.
The tokens are those of open_clip.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from open_clip import tokenizer as open_clip_tokenizer
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from rolesynth_assets.clip.data.token_files import TokenBlock
from rolesynth_assets.store.digests import digest

MOST_WORDS = 500_000
"""Words whose tokens are remembered, at most; they take about 150 bytes each."""
_PROBES = (
    "A photo of TWO red buses, parked; it's 4:30 (a.m.) & raining.",
    "caf\u00e9 \u2014 \u201cquoted\u201d \u4e2d\u6587 \U0001f600 &lt;tag&gt; <end_of_text> x",
)
"""Texts that tokenizers with different rules encode differently."""


class Encoder(Protocol):
    """What turns captions into tokens."""

    def __call__(self, texts: Sequence[str]) -> TokenBlock:
        """Return the tokens of captions."""
        ...


def encoder_of(tokenizer: Any) -> Encoder:
    """Return the fastest encoder with the tokens of an open_clip tokenizer."""
    if isinstance(tokenizer, SimpleTokenizer) and tokenizer.reduction_fn is None:
        return _WordByWord(tokenizer)
    return partial(_in_rows, tokenizer)


def token_type(tokenizer: Any) -> type:
    """Return the smallest type that holds each token."""
    size = getattr(tokenizer, "vocab_size", None) or 2**31
    return np.uint16 if size <= 2**16 else np.int32


def tokenizer_identity(tokenizer: Any) -> str:
    """Return a digest of what the tokens of a text depend on."""
    versions = [importlib.metadata.version(name) for name in ("open_clip_torch", "ftfy", "regex")]
    inner = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    rules = inner.to_str() if inner is not None else ""
    probes = json.dumps(tokenizer(list(_PROBES)).tolist())
    return digest(type(tokenizer).__name__, tokenizer.context_length, *versions, rules, probes)


def cut_rows(tokenizer: Any, texts: Sequence[str], rows: Tensor) -> np.ndarray:
    """Return which texts are longer than the context, so that their end is cut off.

    Args:
        tokenizer: open_clip's tokenizer.
        texts: the texts.
        rows: their tokens, of shape (texts, context).

    Returns:
        bool of shape (texts,).
    """
    full = torch.nonzero(rows[:, -1]).flatten().numpy()
    cut = np.zeros(len(texts), bool)
    if len(full):
        longer = tokenizer([texts[i] for i in full], context_length=rows.shape[1] + 1)
        cut[full] = (longer[:, -1] != 0).numpy()
    return cut


def _in_rows(tokenizer: Any, texts: Sequence[str]) -> TokenBlock:
    """Tokenize by the tokenizer itself."""
    rows = tokenizer(list(texts))
    trimmed = [np.trim_zeros(row, "b") for row in rows.numpy()]  # padding is zeros at the end
    lengths = np.array([len(row) for row in trimmed], np.int64)
    return TokenBlock(np.concatenate(trimmed), lengths, cut_rows(tokenizer, texts, rows))


class _WordByWord:
    """The tokens of open_clip's BPE, of each word once."""

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        self._tokenizer, self._most = tokenizer, int(tokenizer.context_length or 0)
        self._known: dict[str, list[int]] = {}
        clean = tokenizer.clean_fn
        if isinstance(clean, partial):  # `of_plain_text`, which changes only texts with a "<"
            clean = clean.args[0]
        self._lowers = clean is open_clip_tokenizer._clean_lower

    def __call__(self, texts: Sequence[str]) -> TokenBlock:
        first, last = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        flat: list[int] = []
        lengths, cut = np.empty(len(texts), np.int64), np.zeros(len(texts), bool)
        for place, text in enumerate(texts):
            ids = self._encode(text)
            cut[place] = len(ids) + 2 > self._most
            del ids[self._most - 2 :]
            lengths[place] = len(ids) + 2
            flat.append(first)
            flat += ids
            flat.append(last)
        return TokenBlock(np.array(flat, np.int64), lengths, cut)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for word in self._cleaned(text).split(" "):
            known = self._known.get(word)
            ids += self._learn(word) if known is None else known
        return ids

    def _cleaned(self, text: str) -> str:
        plain = text.isascii() and text.isprintable() and "&" not in text and "<" not in text
        if plain and self._lowers:  # nothing that ftfy, HTML or a special token would change
            return " ".join(text.split()).lower()
        return self._tokenizer.clean_fn(text)

    def _learn(self, word: str) -> list[int]:
        """Return the tokens of what is between two spaces; no token of CLIP goes over one."""
        tokenizer = self._tokenizer
        if len(self._known) >= MOST_WORDS:
            self._known.clear()
            names = (tokenizer.decoder[i] for i in tokenizer.all_special_ids)
            tokenizer.cache = {name: name for name in names}
        ids: list[int] = []
        for token in tokenizer.pat.findall(word):
            spelled = "".join(tokenizer.byte_encoder[byte] for byte in token.encode())
            ids += [tokenizer.encoder[part] for part in tokenizer.bpe(spelled).split(" ")]
        self._known[word] = ids
        return ids
