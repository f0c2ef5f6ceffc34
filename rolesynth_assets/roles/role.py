"""A role that describes images, and the prompts that ask for a caption in that role."""

from enum import StrEnum
from string import Formatter

from pydantic import ConfigDict, Field, field_validator

from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import FrozenModel

PLACEHOLDERS = ("name", "expertise", "responsibilities")
"""Names that a prompt template may use in curly brackets."""


class LengthKind(StrEnum):
    """The two captions that every role writes for an image, by two separate requests."""

    LONG = "long"
    SHORT = "short"


class RoleModel(FrozenModel):
    """A part of a role set; its texts lose the white space around them."""

    model_config = ConfigDict(str_strip_whitespace=True)


class RoleRecord(RoleModel):
    """What the role dialogue ends with: {name, expertise, responsibilities} (paper, role design).

    `expertise` may be empty: the generic baselines have none.
    """

    name: str = Field(min_length=1, max_length=80)
    expertise: str = Field(default="", max_length=400)
    responsibilities: str = Field(min_length=1, max_length=600)

    @field_validator("name", "expertise", "responsibilities", mode="before")
    @classmethod
    def _one_line(cls, value: object) -> object:
        return " ".join(value.split()) if isinstance(value, str) else value


class PromptTemplates(RoleModel):
    """One template of the user text per length kind, with {name}-style placeholders."""

    long: str = Field(min_length=1)
    short: str = Field(min_length=1)

    @field_validator("long", "short")
    @classmethod
    def _known_placeholders(cls, template: str) -> str:
        try:
            names = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
        except ValueError as error:
            raise ValueError(f"template has unbalanced curly brackets: {error}") from error
        if unknown := sorted(names - set(PLACEHOLDERS)):
            allowed = ", ".join("{" + name + "}" for name in PLACEHOLDERS)
            raise ValueError(f"template mentions unknown {unknown}; it may use {allowed}")
        if "responsibilities" not in names:
            raise ValueError("template must mention {responsibilities}, or all roles read the same")
        return template


class Role(RoleRecord):
    """A role record bound to the prompt templates and the system text of its role set."""

    templates: PromptTemplates
    system: str = Field(min_length=1)

    @property
    def fingerprint(self) -> str:
        """The role's identity: a sha256 hex digest over every word that the model reads."""
        return digest(
            self.name,
            self.expertise,
            self.responsibilities,
            self.templates.long,
            self.templates.short,
            self.system,
        )

    def prompt(self, length: LengthKind | str) -> str:
        """Return the user text that asks this role for a caption of one length kind.

        The text comes after the image, on one line with single spaces.

        Raises:
            ValueError: `length` is neither a member of `LengthKind` nor its value.
        """
        long = LengthKind(length) is LengthKind.LONG
        template = self.templates.long if long else self.templates.short
        text = template.format(
            name=self.name, expertise=self.expertise, responsibilities=self.responsibilities
        )
        return " ".join(text.split())
