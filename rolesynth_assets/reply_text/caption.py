"""The table of rules that make a caption of a model's reply."""

from __future__ import annotations

from functools import lru_cache

from rolesynth_assets.reply_text import closing, markup, opening, wrapping
from rolesynth_assets.reply_text.rule import Cleaned, Rule, apply_rules
from rolesynth_assets.reply_text.sections import sections_rule
from rolesynth_assets.reply_text.structured import caption_tag_rule, json_rule, pick_caption


@lru_cache(maxsize=256)
def caption_rules(
    length: str = "long", role: str = "", uncut: frozenset[str] = frozenset()
) -> tuple[Rule, ...]:
    """Return the rules in the order of their application.

    Args:
        length: length kind that was asked for, "long" or "short".
        role: the role's name, which is removed where it is used as a label.
        uncut: names of rules that are left out.
    """
    rules = (
        *wrapping.BEFORE_ANSWER,
        json_rule(pick_caption(length)),
        caption_tag_rule(length),
        markup.ENTITIES,
        markup.HTML,
        markup.ESCAPES,
        sections_rule(length),
        opening.PREAMBLE,
        markup.TITLE,
        opening.label_rule(role),
        opening.FINAL,
        closing.HASHTAGS,
        closing.END_MARK,
        closing.NOTE,
        closing.OFFER,
        closing.COMMENT,
        closing.WORD_COUNT,
        markup.bullet_rule(whole=length == "long"),
        markup.MARKDOWN,
        markup.EMOJI,
        markup.QUOTES,
        closing.REPEATED_END,
    )
    return tuple(rule for rule in rules if rule.name not in uncut)


def clean_caption(
    reply: str, length: str = "long", role: str = "", uncut: frozenset[str] = frozenset()
) -> Cleaned:
    """Return the caption in a reply on one line, and the names of the rules that changed it.

    Args:
        reply: the text of the model.
        length: length kind that was asked for, "long" or "short".
        role: the role's name.
        uncut: names of rules that are left out.
    """
    return apply_rules(reply, caption_rules(length, role, uncut))
