"""The part of a caption that a recipe trains on."""

from __future__ import annotations

from rolesynth_assets.clip.recipe import Text
from rolesynth_assets.reply_text.sentences import sentences
from rolesynth_assets.store.digests import seed_from


def trained_text(text: Text, caption_id: str, caption: str, seed: int) -> str:
    """Return what a recipe trains on of one caption.

    The choice depends on the caption's id and the seed alone, so that other captions change
    nothing.

    Args:
        text: which part.
        caption_id: the caption's id.
        caption: its whole text.
        seed: seed of a drawn sentence.
    """
    if text is Text.WHOLE:
        return caption
    found = sentences(caption) or [caption]
    if text is Text.FIRST_SENTENCE:
        return found[0]
    return found[seed_from("sentence", str(seed), caption_id) % len(found)]
