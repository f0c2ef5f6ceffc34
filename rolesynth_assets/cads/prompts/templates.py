"""The prompts of CADS, one pair of text files for each step in `templates/`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from rolesynth_assets.store.digests import digest


class Prompt(NamedTuple):
    """What a step's model reads: the system text, and the user text with {placeholders}."""

    system: str
    template: str

    @property
    def fingerprint(self) -> str:
        """The wording's identity, 64 hex characters."""
        return digest("cads prompt", self.system, self.template)

    def render(self, **values: str) -> str:
        """Fill the placeholders in; the values are data and are not read for placeholders."""
        return self.template.format(**values)


@cache
def prompt(step: str) -> Prompt:
    """Read `templates/<step>_system.txt` and `templates/<step>.txt`."""
    folder = resources.files("rolesynth_assets.cads.prompts") / "templates"
    return Prompt(
        system=(folder / f"{step}_system.txt").read_text("utf-8").strip(),
        template=(folder / f"{step}.txt").read_text("utf-8").strip(),
    )
