"""CLIP's tokenizers without control tokens in texts.

open_clip reads ``<end_of_text>`` in a caption, in any letter case and also as HTML entities, as the
end token. The text tower is read out at that token, so the rest of the caption would not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from open_clip.tokenizer import HFTokenizer, SigLipTokenizer, SimpleTokenizer


def of_plain_text(tokenizer: Any) -> Any:
    """Change a tokenizer of open_clip so that it encodes every text as plain text, and return it.

    The tokens of a text that names no special token stay the same.

    Args:
        tokenizer: a tokenizer from `open_clip.get_tokenizer`; it is changed in place.

    Raises:
        TypeError: this function does not know the tokenizer's class.
    """
    if isinstance(tokenizer, HFTokenizer | SigLipTokenizer):
        tokenizer.tokenizer.split_special_tokens = True
    elif isinstance(tokenizer, SimpleTokenizer):
        names = (tokenizer.decoder[i] for i in tokenizer.all_special_ids)
        special = re.compile("|".join(map(re.escape, names)), re.IGNORECASE)
        clean: Any = partial(_parted, tokenizer.clean_fn, special)
        tokenizer.clean_fn = clean
    else:
        raise TypeError(
            f"{type(tokenizer).__name__} is a tokenizer of open_clip that may read control tokens "
            "in captions; choose a model with another one"
        )
    return tokenizer


def _parted(clean: Callable[[str], str], special: re.Pattern[str], text: str) -> str:
    """Clean a text and insert a space into the names of special tokens.

    A space between a sign and a letter changes no token, since the tokenizer separates words from
    signs anyway.
    """
    return special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", clean(text))
