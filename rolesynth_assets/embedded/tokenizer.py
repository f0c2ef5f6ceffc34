"""The nano MLLM's tokenizer: byte-level BPE with Qwen's special tokens and chat layout.

Words that carry content (nouns, counts, colours, positions) are always tokens of their own; the
wording around them may merge over word boundaries, which makes sequences about three times shorter
than words. Any other text still encodes, down to single bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from rolesynth_assets.embedded.figures import Colour, Form
from rolesynth_assets.embedded.grammar import COUNT_WORDS, FEELINGS, MOODS
from rolesynth_assets.embedded.kinds import KINDS
from rolesynth_assets.embedded.nano import IMAGE_TOKENS
from rolesynth_assets.embedded.scenes import Background, Size
from rolesynth_assets.mllm.engine import Turn

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
VOCABULARY = 2048

_IMAGE = "<|vision_start|>" + "<|image_pad|>" * IMAGE_TOKENS + "<|vision_end|>"


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Train the tokenizer on the world's texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_content_words()), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=48,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _content_words() -> str:
    words = {w for kind in KINDS for w in (*kind.noun.split(), *kind.plural.split(), kind.colour)}
    words |= {"a", "an", "top", "bottom", "left", "right", "center", "balanced", "above", "below"}
    words |= {*Form, *Colour, "bar", "bars", "shape", "paper", "tallest", "shortest", "yes", "no"}
    words |= {*COUNT_WORDS, *Size, *Background, *FEELINGS.values()}
    words |= {mood for pair in MOODS.values() for mood in pair}
    listed = "|".join(sorted(map(re.escape, words), key=lambda w: (-len(w), w)))
    return rf"(?i) ?\b(?:{listed})\b|\d+|\n|(?<=[.:]) "


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that must be there, such as a special token."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no token {token!r}")
    return found


def chat_text(system: str, prompt: str, *, history: Sequence[Turn] = ()) -> str:
    """Return a request in Qwen's chat layout, image first, up to where the reply begins."""
    turns = "".join(f"<|im_start|>{t.speaker}\n{_plain(t.text)}<|im_end|>\n" for t in history)
    return (
        f"<|im_start|>system\n{_plain(system)}<|im_end|>\n{turns}<|im_start|>user\n"
        f"{_IMAGE}{_plain(prompt)}<|im_end|>\n<|im_start|>assistant\n"
    )


def _plain(text: str) -> str:
    """Keep text from posing as one of the special tokens."""
    return text.replace("<|", "< |")
