"""What a command is asked to do with images, up to CLIP scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CaptionWork:
    """The part of a refresh from images to CLIP scores.

    Attributes:
        role_sets: role sets with which shards are captioned.
        recipes: training seeds by recipe.
        roles_alone: further role sets for which only the roles are made.
        shards: shards to read in and caption; all registered ones if empty.
        again: reasons of rows that are asked again; then nothing else is asked for.
        changed: shards whose files are others than before.
        read_again: shards that are read in whatever their state.
        emptied: shards of which no file is left, which are forgotten.
        quiet_about: shards whose failure is mentioned and does not count as one of this command.
    """

    role_sets: Sequence[str] = ()
    recipes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    roles_alone: Sequence[str] = ()
    shards: Sequence[str] = ()
    again: Sequence[str] = ()
    changed: Sequence[str] = ()
    read_again: Sequence[str] = ()
    emptied: Sequence[str] = ()
    quiet_about: Collection[str] = ()
