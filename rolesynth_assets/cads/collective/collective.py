"""The collective of members that write and judge problems, as a value read from YAML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from rolesynth_assets.cads.collective.member import ImageMode, Member, MemberName
from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.extra_checks.findings import DUPLICATES, EXCLUDE_WRITER, FINDINGS
from rolesynth_assets.cads.strategies import PAPER_STRATEGIES, Strategy, choose_strategies
from rolesynth_assets.errors import InputError
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import Named, NamedModel, YamlLibrary

SHIPPED = Path(__file__).parent / "shipped"
NOBODY = "none"
"""Name that switches the equaliser off; no member may have it."""
MOST_ROUNDS = 10
"""A seed goes through at most ten rounds (CADS, context optimisation)."""


class CollectiveError(InputError):
    """A collective file that cannot be used; the message names the file and the field."""


_CHECKS = (*FINDINGS, DUPLICATES, EXCLUDE_WRITER)


def _switched_on(switches: Any) -> Any:
    if not isinstance(switches, Mapping):
        return switches
    for name, value in switches.items():
        if name not in _CHECKS:
            raise ValueError(f"there is no check {name!r}; they are {', '.join(_CHECKS)}")
        if not isinstance(value, bool):
            raise ValueError(f"{name}: {value!r} is not true or false")
    return frozenset(name for name, value in switches.items() if value)


ExtraChecks = Annotated[
    frozenset[str],
    BeforeValidator(_switched_on),
    PlainSerializer(lambda on: {name: name in on for name in _CHECKS}),
]
"""Names of the checks beyond C that are switched on, each reported apart from C; a mapping of names
to true or false in YAML. They are off unless asked for."""


def _chosen_strategies(choices: Any) -> Any:
    return choose_strategies(choices) if isinstance(choices, Mapping) else choices


Strategies = Annotated[
    tuple[Strategy, ...],
    BeforeValidator(_chosen_strategies),
    PlainSerializer(lambda chosen: {strategy.name: strategy.instruction for strategy in chosen}),
]
"""The strategies of the writers; in YAML a mapping as `choose_strategies` reads it."""


def _all_members(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(member.name for member in data["members"])


class Collective(NamedModel):
    """Members, their tasks and the measure of a run (CADS, collective adversarial synthesis).

    Attributes:
        name: key of the collective.
        members: the members, which are distinct models.
        writers: members that write candidates, in the order in which candidates are dealt.
        judges: the K members that answer every candidate.
        optimiser: member that reflects on hard samples and rewrites the context.
        equaliser: member that decides whether two answers are equal if the rules cannot; None if
            switched off.
        candidates_per_seed: N, over all rounds.
        rounds: T, at most ten.
        strategies: ways to turn a seed into a problem, of which a writer chooses one.
        extra_checks: checks beyond C.
        renderer: settings of the renderer of the images.
    """

    name: MemberName
    members: tuple[Member, ...]
    writers: Annotated[tuple[str, ...], Field(min_length=1)] = Field(default_factory=_all_members)
    judges: Annotated[tuple[str, ...], Field(min_length=1)] = Field(default_factory=_all_members)
    optimiser: str = Field(default_factory=lambda data: data["writers"][0])
    equaliser: str | None = Field(default_factory=lambda data: data["optimiser"])
    candidates_per_seed: Annotated[int, Field(ge=1, le=1000)] = 8
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = MOST_ROUNDS
    strategies: Strategies = PAPER_STRATEGIES
    extra_checks: ExtraChecks = frozenset()
    renderer: RendererSettings = RendererSettings()

    @field_validator("equaliser", mode="before")
    @classmethod
    def _switched_off(cls, name: Any) -> Any:
        return None if name == NOBODY else name

    @field_validator("members")
    @classmethod
    def _distinct(cls, members: tuple[Member, ...]) -> tuple[Member, ...]:
        if not members:
            raise ValueError("a collective has at least one member")
        names = [member.name for member in members]
        _refuse_twice("members", names)
        if NOBODY in names:
            raise ValueError(f"no member may be called {NOBODY!r}")
        seen: dict[tuple[str, str, str], str] = {}
        for member in members:
            other = seen.setdefault(member.endpoint, member.name)
            if other != member.name:
                raise ValueError(
                    f"{other!r} and {member.name!r} are the same model {member.model!r} behind the "
                    "same endpoint; members are distinct models"
                )
        return members

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [member.name for member in self.members]
        asked = [("writers", name) for name in self.writers]
        asked += [("judges", name) for name in self.judges]
        asked += [("optimiser", self.optimiser), ("equaliser", self.equaliser or self.optimiser)]
        for field, name in asked:
            if name not in names:
                raise ValueError(f"{field}: {name!r} is not a member; the members are {names}")
        _refuse_twice("writers", self.writers)
        _refuse_twice("judges", self.judges)
        for member in self.members:
            if member.transcriber is not None:
                self._check_transcriber(member.name, member.transcriber)
        return self

    def _check_transcriber(self, name: str, transcriber: str) -> None:
        seeing = [m.name for m in self.members if m.image_mode is ImageMode.NATIVE]
        if transcriber not in seeing:
            raise ValueError(
                f"member {name!r}: transcriber {transcriber!r} is not a member that sees images "
                f"itself (image_mode native); these are: {seeing}"
            )

    @property
    def K(self) -> int:
        """Verdicts that a decided candidate has."""
        return len(self.judges)

    @property
    def employed(self) -> tuple[str, ...]:
        """Names of the members that have a task, in their order."""
        tasks = {*self.writers, *self.judges, self.optimiser}
        if self.equaliser is not None:
            tasks.add(self.equaliser)
        tasks |= {m.transcriber for m in self.members if m.transcriber and m.name in tasks}
        return tuple(member.name for member in self.members if member.name in tasks)

    def member(self, name: str) -> Member:
        """Return a member by name.

        Raises:
            KeyError: no member has that name.
        """
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"Collective {self.name!r} has no member {name!r}.")

    @property
    def digest(self) -> str:
        """64 hex characters that change when the rows of a round may change.

        Names and order of members are part of it, because candidates are dealt by them. The
        collective's own name, addresses, keys, concurrency, time limits, retries and prices are
        not.

        Raises:
            EngineError: weights of an embedded member are missing.
        """
        rest = self.model_dump(mode="json", exclude={"name", "members", "renderer", "strategies"})
        if self.strategies != PAPER_STRATEGIES:
            rest["strategies"] = [[s.name, s.instruction] for s in self.strategies]
        rest["renderer"] = self.renderer.model_dump(include={"kind", "model", "size"})
        members = (member.digest for member in self.members)
        return digest("collective", json.dumps(rest, sort_keys=True), *members)


_FILES = YamlLibrary(
    Collective,
    CollectiveError,
    SHIPPED,
    what="collective",
    fields="name and members",
    example=str(SHIPPED / "embedded.yaml"),
)


def load_collectives(folder: Path | None = None) -> Named[Collective]:
    """Read the shipped collectives, then those of a user's folder, which replace shipped ones.

    Args:
        folder: folder with ``*.yaml`` or ``*.yml`` files; None or a folder that does not exist adds
            nothing.

    Returns:
        Collectives by name, and the files that cannot be used.
    """
    return _FILES.load(folder)


def choose_collective(name: str, folder: Path | None = None) -> Collective:
    """Return the collective that a project has chosen.

    Args:
        name: the chosen name; empty if none was chosen.
        folder: folder of the user's collectives, as for `load_collectives`.

    Raises:
        CollectiveError: no name is chosen, no collective has that name, or its file cannot be used;
            the message lists the existing ones or the broken fields.
    """
    collectives = load_collectives(folder)
    if name in collectives or name in collectives.broken:
        return collectives[name]
    fault = (
        f"There is no collective {name!r}."
        if name
        else "No collective is chosen, so no model would write or judge problems."
    )
    own = f"; your own go to {folder}/NAME.yaml" if folder else ""
    raise CollectiveError(
        f"{fault} Set `collective` in rolesynth.yaml, or ROLESYNTH_COLLECTIVE, to one of: "
        f"{', '.join(collectives)}{own}."
    )


def read_collective(path: Path) -> Collective:
    """Read one collective file.

    Raises:
        CollectiveError: the file is missing, is no YAML, or breaks the schema; every broken field
            is named.
    """
    return _FILES.read(path)


def _refuse_twice(field: str, names: tuple[str, ...] | list[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{field}: {', '.join(twice)} is listed twice")
