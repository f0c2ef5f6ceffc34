"""`rolesynth run --again`: rows that ended without a result are asked once more, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from rolesynth_assets.captions.asked_again import SAME_TEXT, captions_of_one_text
from rolesynth_assets.captions.reasons import CaptionReason
from rolesynth_assets.cli.work.failures import listed
from rolesynth_assets.lineage.refresh.runner import Target
from rolesynth_assets.lineage.staleness.causes import Cell, Reason
from rolesynth_assets.pairs.score_reply import ScoreReason
from rolesynth_assets.pairs.scoring import SAME_SCORE, scores_alike

if TYPE_CHECKING:
    from rolesynth_assets.lineage.staleness.staleness import Staleness
    from rolesynth_assets.settings import Settings

_TABLES = {"raw_captions": "captions", "caption_scores": "scores"}
_ALIKE = {
    "captions": (SAME_TEXT, captions_of_one_text),
    "scores": (SAME_SCORE, scores_alike),
}
"""By table: the word for rows with the same result, and the function that finds them."""
_NO_OTHERS = {Reason.CHECK, Reason.PASSING, Reason.UPSTREAM_PASSING, Reason.ADDED_AGAIN}
"""Causes of a stale partition that has all of its rows, so that no other row is asked for."""


def known_reasons(asked: str) -> list[str]:
    """Return the reasons of a list such as ``truncated,refused``.

    Raises:
        typer.BadParameter: a reason is not known.
    """
    known = list(dict.fromkeys(str(r) for kind in (CaptionReason, ScoreReason) for r in kind))
    known += [SAME_TEXT, SAME_SCORE]
    reasons = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    if unknown := [reason for reason in reasons if reason not in known]:
        raise typer.BadParameter(f"no reason {', '.join(unknown)}; rows end as {', '.join(known)}")
    return reasons


def ask_again(
    settings: Settings, staleness: Staleness, plan: Sequence[Target], reasons: Sequence[str]
) -> list[Target]:
    """Return the targets of a plan, limited to partitions with rows that ended for some reason.

    Their captions and scores are made with those rows asked again; what is made from them follows.

    Args:
        settings: the project's.
        staleness: the state before it.
        plan: what a refresh would bring up to date.
        reasons: the reasons.
    """
    cells = {t.asset: [str(p) for p in t.partitions] for t in plan if t.asset in _TABLES}
    found = {
        asset: _cells_with(settings, _TABLES[asset], reasons, cells[asset]) for asset in _TABLES
    }
    asked = list(dict.fromkeys([*found["raw_captions"], *found["caption_scores"]]))
    incomplete = [cell for cell in asked if not _complete(staleness, cell)]
    if incomplete:
        typer.secho(
            f"left out, because more than these rows is to be asked there: {listed(incomplete)}; "
            "run without --again first",
            fg="yellow",
            err=True,
        )
    asked = [cell for cell in asked if cell not in incomplete]
    captions = [cell for cell in found["raw_captions"] if cell in asked]
    if not asked:
        typer.echo(f"No row ended as {', '.join(reasons)}{_others(settings)}.")
        return []
    scored = {key for key, s in staleness.states["caption_scores"].items() if s.status != "missing"}
    return _limited(plan, captions, asked, {*asked, *map(str, scored)}, reasons)


def _limited(
    plan: Sequence[Target],
    captions: Sequence[str],
    scores: Sequence[str],
    cut: Collection[str],
    reasons: Sequence[str],
) -> list[Target]:
    """Return the targets of a plan, limited to some partitions, in which rows are asked again.

    Args:
        plan: what a refresh would bring up to date.
        captions: partitions of which captions are asked again.
        scores: partitions of which scores are asked again, or follow from the captions.
        cut: partitions that a new cut is for; those that were never scored wait for nothing.
        reasons: the reasons.
    """
    config = {"again": list(reasons)}
    forced = {"raw_captions": captions, "caption_scores": scores}
    targets = []
    for target in plan:
        if target.asset in forced:
            again = forced[target.asset]
            targets.append(replace(target, partitions=again, forced=True, config=config))
        elif target.asset == "filtered_pairs":
            targets.append(replace(target, partitions=[p for p in target.partitions if p in cut]))
        elif target.asset not in ("image_shards", "role_lists"):
            targets.append(target)
    return targets


def _cells_with(
    settings: Settings, table: str, reasons: Sequence[str], cells: Sequence[str]
) -> list[str]:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.rows import any_key

    reader = StoreReader(str(settings.data_root))
    rows = reader.read(table, None, ["shard", "role_set"], any_key("reason", reasons))
    there = {f"{row['shard']}|{row['role_set']}" for row in rows.to_pylist()}
    same, alike = _ALIKE[table]
    if same in reasons:
        there |= {cell for cell in cells if alike(reader, _partition(cell))}
    return [cell for cell in cells if cell in there]


def _partition(cell: str) -> dict[str, str]:
    shard, _, role_set = cell.rpartition("|")
    return {"shard": shard, "role_set": role_set}


def _complete(staleness: Staleness, cell: str) -> bool:
    state = staleness.state(Cell("raw_captions", cell))
    made = cell in staleness.states["raw_captions"] and state.status != "missing"
    return made and all(cause.reason in _NO_OTHERS for cause in state.causes)


def _others(settings: Settings) -> str:
    """Return the reasons that there are, in brackets."""
    from rolesynth_assets.store.lance.reader import StoreReader

    reader = StoreReader(str(settings.data_root))
    counts = Counter[str]()
    for table in _TABLES.values():
        rows = reader.read(table, None, ["reason"], "reason IS NOT NULL")
        counts.update(rows["reason"].to_pylist())
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{reason} {count:,}" for reason, count in most_first)
    return f" (rows without a result: {said})" if said else ""
