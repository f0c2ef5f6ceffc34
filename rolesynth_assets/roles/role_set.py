"""A role set: the roles that caption every image, their prompts, and the filter policy."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Self

from pydantic import Field, field_validator, model_validator

from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.reply_text.languages import LANGUAGES
from rolesynth_assets.roles.role import PromptTemplates, Role, RoleModel, RoleRecord
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import NamedModel

MAX_ROLES = 32


class GenerateSpec(RoleModel):
    """How the roles come out of a dialogue with a language model (`roles/generate.py`)."""

    purpose: str = Field(min_length=1, max_length=300)
    candidates: int = Field(default=8, ge=1, le=MAX_ROLES)
    """Roles proposed in phase 1."""
    count: int = Field(default=5, ge=1, le=MAX_ROLES)
    """Roles left after phase 2."""
    rounds: int = Field(default=2, ge=1, le=5)
    """Refinement rounds of phase 2."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.9, gt=0, le=1)
    max_tokens: int = Field(default=900, ge=64)
    """Bound on one answer of the dialogue, in tokens."""

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.candidates < self.count:
            raise ValueError(
                f"candidates ({self.candidates}) must be at least count ({self.count})"
            )
        return self


class RoleSet(RoleModel, NamedModel):
    """One YAML file: either hand-written `roles` or a `generate` block, and how to ask them."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
    description: str = Field(min_length=1)
    language: str = "en"
    """ISO 639-1 code of the captions' language; a caption in another is turned down."""
    system: str = Field(min_length=1)
    templates: PromptTemplates
    roles: tuple[RoleRecord, ...] = Field(default=(), max_length=MAX_ROLES)
    generate: GenerateSpec | None = None
    filter: FilterPolicy = FilterPolicy()

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        if language not in LANGUAGES:
            raise ValueError(
                f"{language!r} is no language code that is known here; give one of "
                f"{' '.join(LANGUAGES)}"
            )
        return language

    @field_validator("roles")
    @classmethod
    def _distinct_names(cls, roles: tuple[RoleRecord, ...]) -> tuple[RoleRecord, ...]:
        counts = Counter(role.name.casefold() for role in roles)
        if twice := sorted(name for name, count in counts.items() if count > 1):
            raise ValueError(f"two roles share the name {twice}; give each role its own name")
        return roles

    @model_validator(mode="after")
    def _roles_or_generate(self) -> Self:
        if bool(self.roles) == (self.generate is not None):
            raise ValueError("give either `roles` (at least one) or a `generate` block, not both")
        return self

    @property
    def role_count(self) -> int:
        """Number of roles that caption each image."""
        return self.generate.count if self.generate else len(self.roles)

    @property
    def keep_share(self) -> float:
        """The share of captions that the cut over all images keeps."""
        return 1 / self.role_count if self.filter.share is None else self.filter.share

    @property
    def digest(self) -> str:
        """64 hex characters that change when the roles, their prompts or the filter change."""
        # the language changes no request: stored replies are read again when it changes
        values = self.model_dump(mode="json", exclude={"name", "description", "language"})
        for later in ("per_image", "centred"):  # left out unless set: older sets keep their digest
            if not values["filter"][later]:
                del values["filter"][later]
        return digest("role set", json.dumps(values, sort_keys=True))

    def bind(self, records: Sequence[RoleRecord]) -> list[Role]:
        """Join role records with this set's templates and system text, in the given order."""
        return [
            Role(
                name=record.name,
                expertise=record.expertise,
                responsibilities=record.responsibilities,
                templates=self.templates,
                system=self.system,
            )
            for record in records
        ]

    def written_roles(self) -> list[Role]:
        """Return the roles of a hand-written set.

        Raises:
            ValueError: the set is generated; its roles come from `roles.generate.propose_roles`.
        """
        if self.generate is not None:
            raise ValueError(
                f"role set {self.name!r} has no written roles: they are generated through an "
                "engine; call roles.generate.propose_roles or read them from the roles table"
            )
        return self.bind(self.roles)
