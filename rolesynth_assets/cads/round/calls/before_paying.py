"""The preflight of a collective's members, before the first paid call of a round."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.collective.member import ImageMode
from rolesynth_assets.cads.round.task_group import concurrently
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.cost.spent import Spent

if TYPE_CHECKING:
    from rolesynth_assets.cads.values import Seed
    from rolesynth_assets.mllm.engine import ChatEngine
    from rolesynth_assets.mllm.settings import EngineSettings

MemberCheck = Callable[[], Awaitable[Mapping[str, Spent]]]
"""Asks every member that has a task, and returns what each took."""


def member_check(
    collective: Collective,
    settings: Mapping[str, EngineSettings],
    engines: Mapping[str, ChatEngine],
    seeds: Sequence[Seed],
    data_root: DataPath | str,
    run_id: str,
) -> MemberCheck:
    """Return the check of a round's members: those that are shown pictures look at colour cards.

    Args:
        collective: the collective.
        settings: of each member that has a task, by its name.
        engines: the same members' engines.
        seeds: the seeds, whose images writers are shown.
        data_root: where what is learned is kept.
        run_id: the run.
    """
    from rolesynth_assets.mllm.preflight.check import Preflight

    illustrated = any(seed.images for seed in seeds)

    async def one(name: str) -> Spent:
        sees = is_shown_images(collective, name, illustrated)
        check = Preflight(data_root, settings[name], run_id, sees)
        return await check(engines[name], collective.member(name).judge)

    async def all_members() -> dict[str, Spent]:
        names = collective.employed
        spent = await concurrently(one(name) for name in names)
        return dict(zip(names, spent, strict=True))

    return all_members


def is_shown_images(collective: Collective, name: str, illustrated: bool) -> bool:
    """Return whether a member's work shows it images.

    Args:
        collective: the collective.
        name: the member.
        illustrated: whether seeds have images.
    """
    if collective.member(name).image_mode is not ImageMode.NATIVE:
        return False
    transcribes = any(member.transcriber == name for member in collective.members)
    solves = name in collective.judges or name == collective.optimiser
    return transcribes or solves or (illustrated and name in collective.writers)
