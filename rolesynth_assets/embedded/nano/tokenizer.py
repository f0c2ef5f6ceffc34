"""The nano MLLM's tokenizer: byte-level BPE with Qwen's special tokens and chat layout.

Words that carry content (nouns, counts, colours, positions) are always tokens of their own. The
wording around them may merge across word boundaries, so sequences are about three times shorter
than their number of words. Any other text can be encoded too, down to single bytes. The name of a
special token in a text is encoded as text: only the chat layout adds special tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from rolesynth_assets.embedded.nano.architecture import IMAGE_TOKENS
from rolesynth_assets.embedded.world.caption_grammar import COUNT_WORDS, FEELINGS, MOODS
from rolesynth_assets.embedded.world.figures import Colour, Form
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import Background, Size
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
    return _of_plain_text(tokenizer)


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a tokenizer that encodes every text as plain text."""
    return _of_plain_text(Tokenizer.from_file(str(path)))


def _of_plain_text(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.encode_special_tokens = True  # names of special tokens are text; no file stores this
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
    """Return the id of a token that must exist, such as a special token."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no token {token!r}")
    return found


class Chat(NamedTuple):
    """One request: a system text, earlier turns, an image and a prompt."""

    system: str
    prompt: str
    history: Sequence[Turn] = ()


def encode_chats(tokenizer: Tokenizer, chats: Iterable[Chat]) -> list[list[int]]:
    """Return the token ids of requests in Qwen's chat layout, up to where the replies begin.

    The image comes before the prompt. Only the layout adds special tokens, so no text can end a
    turn or pass for an image.

    Args:
        tokenizer: see `load_tokenizer`.
        chats: the requests.
    """
    layouts = [_layout(chat) for chat in chats]
    texts = list(dict.fromkeys(p for pieces in layouts for p in pieces if isinstance(p, str)))
    ids = {
        text: encoded.ids
        for text, encoded in zip(texts, tokenizer.encode_batch(texts), strict=True)
    }
    special = {token: token_id(tokenizer, token) for token in SPECIAL_TOKENS}
    return [
        [i for p in pieces for i in (ids[p] if isinstance(p, str) else (special[t] for t in p))]
        for pieces in layouts
    ]


_BEGIN, _END = ("<|im_start|>",), ("<|im_end|>",)
_IMAGE = ("<|vision_start|>", *("<|image_pad|>",) * IMAGE_TOKENS, "<|vision_end|>")


def _layout(chat: Chat) -> list[str | tuple[str, ...]]:
    """Return the pieces of a request: texts, and special tokens in tuples."""
    turns = [("system", chat.system), *((t.speaker, t.text) for t in chat.history)]
    pieces: list[str | tuple[str, ...]] = []
    for speaker, text in turns:
        pieces += [_BEGIN, f"{speaker}\n{text}", _END, "\n"]
    asked = [_BEGIN, "user\n", _IMAGE, chat.prompt, _END, "\n"]
    return [*pieces, *asked, _BEGIN, "assistant\n"]
