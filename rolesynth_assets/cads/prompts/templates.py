"""The prompts of CADS, one pair of text files for each step in `templates/`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from rolesynth_assets.store.digests import digest


class Prompt(NamedTuple):
    """A step's system text, and its user text with {placeholders}."""

    system: str
    template: str

    @property
    def fingerprint(self) -> str:
        """Identity of the prompt, 64 hex characters."""
        return digest("cads prompt", self.system, self.template)

    def render(self, **values: str) -> str:
        """Fill in the placeholders; placeholders within the values are not filled in."""
        return self.template.format(**values)


@cache
def prompt(step: str) -> Prompt:
    """Read `templates/<step>_system.txt` and `templates/<step>.txt`."""
    folder = resources.files("rolesynth_assets.cads.prompts") / "templates"
    return Prompt(
        system=(folder / f"{step}_system.txt").read_text("utf-8").strip(),
        template=(folder / f"{step}.txt").read_text("utf-8").strip(),
    )
