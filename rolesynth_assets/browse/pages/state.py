"""The state of all assets: what is stale and why, what is missing, and what the last runs took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.data_paths import dagster_home
from rolesynth_assets.lineage.refresh.asking_assets import ASK_MODELS

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.runner import Refresher

MOST = 100
"""Stale partitions listed with their causes; the others are counted."""
RUNS = 400
"""Latest runs from which commands are listed."""
COMMANDS = 8
"""Commands listed, the latest first."""


@dataclass(frozen=True)
class AssetState:
    """Partitions of an asset by status."""

    asset: str
    fresh: int
    stale: int
    missing: int


@dataclass(frozen=True)
class Command:
    """The runs that one command or one refresh started.

    Attributes:
        what: what they were for.
        user: who started them.
        began: time of the first one listed, ISO 8601, UTC.
        runs: number of runs.
        failed: how many of them failed.
        open: how many have not ended.
        costs: what models took of each run that asked one.
    """

    what: str
    user: str
    began: str
    runs: int
    failed: int
    open: int
    costs: Sequence[str]


def state(desk: Desk, request: Request) -> Response:
    """Look at the whole graph now; nothing is recorded."""
    if not dagster_home().is_dir():
        return desk.page(request, "state.html", {"title": "State", "made": False})
    desk.prepare()
    import dagster as dg

    from rolesynth_assets.definitions import defs
    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.staleness.causes import Status
    from rolesynth_assets.lineage.staleness.explain import Words

    with dg.DagsterInstance.get() as instance:
        refresher = Refresher(defs, instance)
        looked = refresher.look()
        found = refresher.examine(looked)
        words = Words(instance, explainers())
        stale = [cell for cell, _ in found.stale()]
        shown: dict[str, Any] = {
            "title": "State",
            "made": True,
            "assets": [
                AssetState(name, of[Status.FRESH], of[Status.STALE], of[Status.MISSING])
                for name, of in found.counts().items()
            ],
            "stale": [(cell, words.why(found, cell)) for cell in stale[:MOST]],
            "count": len(stale),
            "working": desk.making.working,
            "failed": desk.making.failed,
            "notes": [*found.left_out, *([looked.reload] if looked.reload else [])],
            "commands": commands(refresher),
        }
    return desk.page(request, "state.html", shown)


def plan(desk: Desk, request: Request) -> Response:
    """Show what would be made, of one asset or of all, and ask; nothing is made."""
    if not dagster_home().is_dir():
        raise HTTPException(404, "Nothing was made yet.")
    desk.prepare()
    import dagster as dg

    from rolesynth_assets.definitions import defs
    from rolesynth_assets.lineage.refresh.rematerialize import planned
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.selection import selected
    from rolesynth_assets.lineage.staleness.explain import Words

    asset = request.query_params.get("asset", "")
    with dg.DagsterInstance.get() as instance:
        refresher = Refresher(defs, instance)
        found = refresher.examine(refresher.look())
        try:
            wanted = selected(found, Words(instance, {}), [asset] if asset else [], "", False)
        except KeyError as error:
            raise HTTPException(404, str(error.args[0])) from error
        work = planned(found, wanted)
    shown = {
        "title": "Make",
        "asset": asset,
        "work": {name: [key for key in keys if key] for name, keys in work.items()},
        "count": sum(map(len, work.values())),
        "asking": [name for name in work if name in ASK_MODELS],
        "most": MOST,
        "working": desk.making.working,
    }
    return desk.page(request, "make.html", shown)


def make(desk: Desk, request: Request, form: Mapping[str, str]) -> Response:
    """Start Dagster's job that makes what is stale, of one asset or of all."""
    if not dagster_home().is_dir():
        raise HTTPException(404, "Nothing was made yet.")
    desk.prepare()
    from rolesynth_assets.definitions import defs

    asset = form.get("asset", "")
    known = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    if asset and asset not in known:
        raise HTTPException(404, f"There is no asset {asset[:60]!r}.")
    desk.making.start([asset] if asset else [], "browse")
    return RedirectResponse("/state", 303)


def commands(refresher: Refresher) -> list[Command]:
    """Return what was started last, the latest first."""
    import dagster as dg

    from rolesynth_assets.lineage.refresh.tagged_runs import TAG
    from rolesynth_assets.lineage.run_process.launcher import COMMAND, COST, USER, WHAT

    grouped: dict[str, list[dg.RunRecord]] = {}
    for record in refresher.instance.get_run_records(limit=RUNS):
        tags = record.dagster_run.tags
        of = tags.get(TAG) or tags.get(COMMAND) or record.dagster_run.run_id
        grouped.setdefault(of, []).append(record)
    found = []
    for records in list(grouped.values())[:COMMANDS]:
        runs = [record.dagster_run for record in records]
        tags = runs[0].tags
        found.append(
            Command(
                what=tags.get(WHAT) or runs[0].job_name.strip("_").replace("_", " ").lower(),
                user=tags.get(USER, ""),
                began=records[-1].create_timestamp.strftime("%Y-%m-%d %H:%M"),
                runs=len(runs),
                failed=sum(run.status is dg.DagsterRunStatus.FAILURE for run in runs),
                open=sum(not run.is_finished for run in runs),
                costs=[run.tags[COST] for run in runs if COST in run.tags],
            )
        )
    return found
