"""CLIP's tokenizers without control tokens in texts.

open_clip takes ``<end_of_text>`` in a caption, in any letter case and also spelt as HTML, for the
end token, at which the text tower is read: what follows it in the caption would not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from open_clip.tokenizer import HFTokenizer, SigLipTokenizer, SimpleTokenizer


def of_plain_text(tokenizer: Any) -> Any:
    """Make a tokenizer of open_clip encode every text as plain text, and return it.

    The tokens of a text that names no special token stay the same.

    Args:
        tokenizer: as `open_clip.get_tokenizer` makes it; is changed.

    Raises:
        TypeError: the tokenizer is of a kind that is not known here.
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
    """Clean a text and put a space into the special tokens that it names.

    A space between a sign and a letter changes no token, for words and signs are parted anyway.
    """
    return special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", clean(text))
