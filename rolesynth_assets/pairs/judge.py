"""The judge's prompt for one caption, which asks for a score of 1-100 and a reason.

The score is on the first line and the reason after it, as in MLM-Filter, so that the first tokens
of an answer suffice to read the score (paper, role-aware filter).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from rolesynth_assets.mllm.engine import Sampling
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.digests import digest

JUDGE_SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=48)
"""Greedy, and room for the score and one short reason."""


class JudgePrompt(NamedTuple):
    """The judge's system text, its user text with {name}-style placeholders, and its sampling."""

    system: str
    template: str
    sampling: Sampling = JUDGE_SAMPLING

    @property
    def fingerprint(self) -> str:
        """Identity of the prompt: 64 hex characters over system text, template and sampling."""
        return digest("judge", self.system, self.template, self.sampling.fingerprint())

    def render(self, role: Role, caption: str, *, stand_in: bool = False) -> str:
        """Return the user text that asks for one caption's score; the image comes before it.

        The text is one line with single spaces: role name, responsibilities, caption, instruction.
        The caption is between two marks that it cannot contain.

        Args:
            role: the role for which the caption was written.
            caption: the caption.
            stand_in: whether the embedded stand-in reads it, which was trained without marks.
        """
        from rolesynth_assets.pairs.caption_data import as_data, as_trained

        return self._filled(role, as_trained(caption) if stand_in else as_data(caption))

    def render_unmarked(self, role: Role, caption: str) -> str:
        """Return the text of earlier versions, which had no marks around ordinary captions."""
        return self._filled(role, caption)

    def _filled(self, role: Role, caption: str) -> str:
        text = self.template.format(
            name=role.name, responsibilities=role.responsibilities, caption=caption
        )
        return " ".join(text.split())


@cache
def judge_prompt(sampling: Sampling = JUDGE_SAMPLING) -> JudgePrompt:
    """Read the shipped prompt from `templates/judge_system.txt` and `templates/judge.txt`.

    Args:
        sampling: how the answers are drawn; part of a score's identity.
    """
    folder = resources.files("rolesynth_assets.pairs") / "templates"
    return JudgePrompt(
        system=(folder / "judge_system.txt").read_text("utf-8").strip(),
        template=(folder / "judge.txt").read_text("utf-8").strip(),
    )
