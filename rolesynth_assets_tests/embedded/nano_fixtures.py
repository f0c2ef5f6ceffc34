"""An untrained nano MLLM and its tokenizer, for the tests of the model and of its training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from rolesynth_assets.embedded.nano.architecture import nano_config, new_nano
from rolesynth_assets.embedded.nano.engine import WEIGHTS
from rolesynth_assets.embedded.nano.tokenizer import SPECIAL_TOKENS, load_tokenizer, token_id


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return load_tokenizer(WEIGHTS / "tokenizer.json")


@pytest.fixture(scope="session")
def nano(tokenizer: Tokenizer) -> Any:
    """An untrained nano MLLM, its layers loud enough that the next token is not the last one."""
    ids = {token: token_id(tokenizer, token) for token in SPECIAL_TOKENS}
    model = new_nano(nano_config(tokenizer.get_vocab_size(), ids), seed=3).eval()
    with torch.no_grad():
        for part in (model.model.language_model.layers, model.model.visual):
            for parameter in part.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(4)
    return model.requires_grad_(False)
