"""`rolesynth withdraw`, which removes images and all rows made from them, and keeps them out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rolesynth_assets.cli.dagster_home import prepare_home
from rolesynth_assets.cli.printable import printable, printable_json
from rolesynth_assets.files.object_path import data_path

if TYPE_CHECKING:
    from rolesynth_assets.lineage.withdraw.purge import Purge
    from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables

_WHOLE_ID = re.compile(r"[0-9a-f]{64}")


def withdraw(
    image: Annotated[
        list[str], typer.Argument(help="Image files, or ids of images (or their beginnings).")
    ],
    reason: Annotated[
        str, typer.Option(help="Reason, which is shown if the image is ingested again.")
    ] = "",
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Also remove earlier table versions, so that the bytes are gone from the disk.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, and change nothing.")
    ] = False,
    lift: Annotated[
        bool,
        typer.Option(
            "--lift", help="Remove the tombstones; the next ingest may read the images again."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Withdraw images (for their licence, or as personal data) with every row made from them.

    Checkpoints trained on them are marked by a failed check, partitions that must be made again are
    stale, and the same bytes are refused from now on. Source files are listed, but not deleted. Do
    not purge while anything else runs: a purge removes the earlier table versions by which old
    checkpoints are traced.
    """
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables

    settings = Settings.load()
    store, small = (
        Store(str(settings.data_root)),
        SmallTables(settings.data_root),
    )
    ids = [_image_id(store, small, name) for name in image]
    if lift:
        _lift(small, ids)
        return
    if not reason.strip():
        raise typer.BadParameter("--reason is missing; it is kept with the tombstone.")
    prepare_home()
    report = _withdraw(settings, store, small, ids, reason, purge=purge, dry_run=dry_run)
    if as_json:
        typer.echo(printable_json(report, indent=1))
    else:
        _print(report)
    if report.get("still_held"):
        raise typer.Exit(1)


def _image_id(store: Store, small: SmallTables, name: str) -> str:
    from rolesynth_assets.lineage.trace.sources import Sources
    from rolesynth_assets.lineage.trace.subject import SubjectError, find_subject

    if _WHOLE_ID.fullmatch(name):
        return name
    text = name if Path(name).is_file() or ":" in name else f"image:{name}"
    try:
        subject = find_subject(Sources(store, small, data_path(store.root)), text)
    except SubjectError as error:
        raise typer.BadParameter(str(error)) from error
    if subject.table != "images":
        raise typer.BadParameter(f"{name} is a row of {subject.table}, not an image.")
    return subject.key


def _withdraw(
    settings: Settings,
    store: Store,
    small: SmallTables,
    ids: Sequence[str],
    reason: str,
    *,
    purge: bool,
    dry_run: bool,
) -> dict[str, Any]:
    from rolesynth_assets.browse.withdrawals import record, take_out
    from rolesynth_assets.lineage.withdraw.byte_search import image_needles
    from rolesynth_assets.lineage.withdraw.purge import purge as take_off_disk
    from rolesynth_assets.mllm.rows.reply_journal import journal_paths

    root = settings.data_root
    needles = image_needles(store, ids)
    withdrawal = take_out(settings, store, small, ids, reason, dry_run=dry_run)
    changes, stale = ([], []) if dry_run else record(withdrawal, store)
    journals = journal_paths(root)
    purged = (
        take_off_disk(store, small, root, withdrawal, needles, journals)
        if purge and not dry_run
        else None
    )
    report = _report(withdrawal, changes, stale, purged, dry_run=dry_run)
    return report if purged is None else report | {"in_event_log": _in_event_log(withdrawal)}


def _in_event_log(withdrawal: Withdrawal) -> dict[str, list[str]]:
    """Return the partitions whose pictures Dagster's event log keeps, by the run that made them."""
    import dagster as dg

    from rolesynth_assets.lineage.withdraw.event_pictures import pictures_in_events

    runs: dict[str, list[str]] = {}
    with dg.DagsterInstance.get() as instance:
        for shown in pictures_in_events(instance, withdrawal):
            runs.setdefault(shown.run_id, []).append(f"{shown.asset}[{shown.partition}]")
    return runs


def _lift(small: SmallTables, ids: Sequence[str]) -> None:
    from rolesynth_assets.store.tombstones import lift_tombstones

    lifted = lift_tombstones(small, ids)
    for stone in lifted:
        shards = ", ".join(f"image_shards[{shard}]" for shard in stone.shards) or "its shard"
        typer.echo(f"{stone.image_id[:12]} may come back ({stone.says}); materialize {shards}")
    if not lifted:
        raise typer.BadParameter("none of these images has a tombstone.")


def _report(
    withdrawal: Withdrawal,
    changes: Sequence[str],
    stale: Sequence[str],
    purged: Purge | None,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    from rolesynth_assets.lineage.withdraw.artefacts import ArtefactKind

    report: dict[str, Any] = {
        "dry_run": dry_run,
        "images": [stone.image_id for stone in withdrawal.tombstones],
        "says": [stone.says for stone in withdrawal.tombstones],
        "sources": sorted({s for stone in withdrawal.tombstones for s in stone.sources}),
        "removed": dict(withdrawal.removed),
        "held_by": {str(kind): withdrawal.named(kind) for kind in ArtefactKind},
        "recorded": list(changes),
        "stale": list(stale),
    }
    if purged is not None:
        report |= {
            "freed_bytes": dict(purged.freed),
            "pins_moved": list(purged.moved),
            "pins_lost": list(purged.lost),
            "references_dropped": list(purged.references),
            "journal_drawings": purged.forgotten.drawings,
            "journal_replies": purged.forgotten.replies,
            "held_before": [str(path) for path in purged.before],
            "still_held": [str(path) for path in purged.after],
        }
    return report


def _print(report: dict[str, Any]) -> None:
    would = "would be " if report["dry_run"] else ""
    for image, says in zip(report["images"], report["says"], strict=True):
        typer.echo(f"{image}  {would}{says}")
    rows = ", ".join(f"{table} {count:,}" for table, count in report["removed"].items())
    typer.echo(f"rows {would}removed: {rows or 'none: no table holds these images'}")
    for kind, names in report["held_by"].items():
        if names and kind != "table":
            typer.echo(f"{kind}: {', '.join(names)}")
    for source in report["sources"]:
        typer.echo(f"source file, not deleted: {printable(source)}")
    for line in report["recorded"]:
        typer.echo(f"recorded in Dagster: {line}")
    if report["stale"]:
        typer.echo(f"stale now ({len(report['stale'])}): {', '.join(report['stale'])}")
    if "freed_bytes" not in report:
        return
    typer.echo(f"purged: {sum(report['freed_bytes'].values()):,} bytes of earlier versions")
    found, left = report["held_before"], report["still_held"]
    typer.echo(f"files with parts of the images: {len(found)} before, {len(left)} after")
    for path in left:
        typer.secho(f"still holds the images; delete it yourself: {path}", fg="red")
    typer.echo(
        f"journals: {report['journal_drawings']} drawings, and {report['journal_replies']} replies "
        "to requests that showed the images, were removed"
    )
    for key in report["references_dropped"]:
        typer.echo(f"reference pixels removed from checkpoint {key}")
    if report["pins_lost"]:
        names = ", ".join(report["pins_lost"])
        typer.echo(f"rows of earlier training sets can no longer be listed: {names}")
    _print_event_log(report["in_event_log"])


def _print_event_log(runs: dict[str, list[str]]) -> None:
    for run, partitions in runs.items():
        typer.secho(
            f"run {run}: Dagster's event log keeps small pictures of {', '.join(partitions)}, "
            "which may show the images",
            fg="yellow",
        )
    if runs:
        typer.echo(
            "To remove those: run 'rolesynth stale --fix', then 'dagster run delete RUN' for each. "
            "That also deletes everything else that these runs recorded, so partitions that only "
            "they made must be materialized again. 'dagster asset wipe' only hides events."
        )
