"""Named rules that remove what a model writes around its answer, applied until nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_REPLY_CHARS = 20_000
"""Longer than any caption or score; it bounds the cost of the patterns."""

MAX_PASSES = 20
"""Passes over the table; nested wrappings need one each, and a reply has two or three."""

_SPACES = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n ?")
_BLANK_LINES = re.compile(r"\n{3,}")


class CannotCleanError(ValueError):
    """A reply holds no single answer; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One kind of text that is no part of the answer.

    Attributes:
        name: the rule's name, as stored with each answer that it changed.
        removes: what it removes, for people.
        apply: function that returns the text without it. It raises `CannotCleanError` for a text
            that has no single answer.
        whole: whether nothing may be left. The other rules leave a text alone that would be empty.
        needs: characters, of which the text has at least one wherever the rule changes it; any text
            if empty. Most replies are plain, and most rules need not look at them.
    """

    name: str
    removes: str
    apply: Callable[[str], str]
    whole: bool = False
    needs: str = ""


@dataclass(frozen=True)
class Cleaned:
    """An answer on one line.

    Attributes:
        text: the answer with single spaces; of a reply without a single answer, what is left.
        cuts: names of the rules that changed the reply, in the order of their first change.
        fault: why the reply has no single answer; empty if it has one.
    """

    text: str
    cuts: tuple[str, ...] = ()
    fault: str = ""


def apply_rules(reply: str, rules: Sequence[Rule], *, keep_lines: bool = False) -> Cleaned:
    """Return the answer in a model's reply.

    All rules are applied in their order, again and again, until none changes the text: a code fence
    may be in an answer tag, and a label in the fence. So cleaning an answer again changes nothing.

    Args:
        reply: the text of the model; only the first `MAX_REPLY_CHARS` characters are read.
        rules: the table of rules.
        keep_lines: whether the answer keeps its lines.
    """
    text, cuts = reply[:MAX_REPLY_CHARS], dict[str, None]()
    for _ in range(MAX_PASSES):
        before = text = _even_spaces(text)
        chars = set(text)
        for rule in rules:
            if rule.needs and chars.isdisjoint(rule.needs):
                continue
            try:
                changed = rule.apply(text)
            except CannotCleanError as fault:
                return Cleaned(" ".join(text.split()), tuple(cuts), str(fault))
            if changed == text:
                continue
            changed = _even_spaces(changed)  # runs of spaces and line ends make the patterns slow
            if changed.split() != text.split() and (changed or rule.whole):
                cuts[rule.name] = None
            if changed or rule.whole:
                text, chars = changed, set(changed)
        if text == before:
            if keep_lines:
                return Cleaned(text, tuple(cuts))
            one_line = " ".join(text.split())
            if one_line == text:
                break
            text = one_line  # a pattern may match only now
    return Cleaned(" ".join(text.split()), tuple(cuts))


def _even_spaces(text: str) -> str:
    """Return the text with single spaces and at most one blank line, as the patterns expect."""
    if "  " not in text and text.isprintable():  # no white space but single spaces
        return text.strip()
    text = _LINE_ENDS.sub("\n", _SPACES.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()
