"""`rolesynth doctor`, which shows where everything is, what is wrong with it, and the way out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    import dagster as dg

    from rolesynth_assets.files.object_path import DataPath
    from rolesynth_assets.settings import Settings

LITTLE = 2**30
"""Bytes; less free space than this on a disk is shown as trouble."""


class Finding(NamedTuple):
    """One line: what it is about, what was found, and whether that is trouble."""

    about: str
    found: str
    trouble: bool = False


def doctor(
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Make this data root the one that the Dagster home records; what it does not hold "
            "counts as missing then.",
        ),
    ] = False,
) -> None:
    """Show home, data root, models, tables, disks and killed runs, and what to do about trouble.

    It changes nothing, except that it ends runs whose process is gone, as every command does. The
    exit status is 1 if something needs attention.
    """
    from rolesynth_assets.data_paths import dagster_home
    from rolesynth_assets.settings import SettingsError

    home = dagster_home().resolve()
    found: list[Finding] = []
    try:
        found += _show(_of_settings())
        found += _show(_of_batches())
        found += _show(_of_disks())
        found += _show(_of_bucket())
        found += _show(_of_home(home, adopt))
        found += _show(_of_tables())
    except SettingsError as error:
        found += _show([Finding("settings", str(error), trouble=True)])
    trouble = sum(finding.trouble for finding in found)
    typer.echo(f"\n{trouble} things need attention." if trouble else "\nNothing needs attention.")
    if trouble:
        raise typer.Exit(1)


def _show(findings: Iterator[Finding] | list[Finding]) -> list[Finding]:
    shown = []
    for finding in findings:
        typer.secho(f"{finding.about:<18}{finding.found}", fg="red" if finding.trouble else None)
        shown.append(finding)
    return shown


def _of_settings() -> Iterator[Finding]:
    from rolesynth_assets.settings import SETTINGS_FILE, Settings

    settings = Settings.load()
    file = settings.project / SETTINGS_FILE
    yield Finding("project", str(settings.project))
    yield Finding("settings", str(file) if file.is_file() else f"no {SETTINGS_FILE}: defaults")
    for role in ("captioner", "judge"):
        engine = getattr(settings, role)
        stand_in = " (the embedded stand-in, free)" if engine.engine == "embedded" else ""
        yield Finding(role, f"{engine.engine} {engine.model or ''}".rstrip() + stand_in)
    yield Finding("collective", settings.collective or "none: `rolesynth problems` needs one")
    if settings.images is not None:
        yield Finding("watched images", str(settings.images))


def _of_batches() -> Iterator[Finding]:
    from rolesynth_assets.mllm.rows.batch_ledger import open_batches
    from rolesynth_assets.settings import Settings

    for table, batches in open_batches(Settings.load().data_root).items():
        for batch in batches:
            found = f"{table}: {batch.in_words}; `rolesynth run` collects it, `rolesynth batches`"
            yield Finding("open batch", f"{found} looks at it")


def _of_disks() -> Iterator[Finding]:
    import shutil

    from rolesynth_assets.disk_trouble import written_places

    for what, place in written_places().items():
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(there).free
        yield Finding("free disk", f"{free / 2**30:,.1f} GiB for {what} ({place})", free < LITTLE)
        if not os.access(there, os.W_OK):
            yield Finding("disk", f"{what} cannot be written: {place}", trouble=True)


def _of_bucket() -> Iterator[Finding]:
    from rolesynth_assets.files.bucket_check import bucket_faults
    from rolesynth_assets.files.object_path import ObjectPath
    from rolesynth_assets.settings import Settings

    root = Settings.load().data_root
    if not isinstance(root, ObjectPath):
        return
    faults = bucket_faults(root)
    for fault in faults:
        yield Finding("bucket", fault, trouble=True)
    if not faults:
        yield Finding("bucket", f"{root} can be written, read and listed; conditional puts hold")


def _of_home(home: Path, adopt: bool) -> Iterator[Finding]:
    import dagster as dg

    from rolesynth_assets.lineage.data_root_id import adopt_data_root, recorded_root, root_id
    from rolesynth_assets.settings import Settings

    if not (home / "dagster.yaml").is_file():
        yield Finding("Dagster home", f"{home}: nothing was made with it yet")
        return
    root = Settings.load().data_root
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Finding("Dagster home", f"{home}, {_bytes(home) / 2**20:,.1f} MiB")
        if "retention:" not in (home / "dagster.yaml").read_text():
            yield Finding(
                "dagster.yaml",
                f"{home / 'dagster.yaml'} has no `retention`, so every tick is kept for ever; copy "
                "that section from the shipped dagster.yaml",
            )
        if adopt:
            adopt_data_root(instance, root)
        known, here = recorded_root(instance), root_id(root)
        yield Finding("data root", f"{root}, id {here[:12] if here else 'not given yet'}")
        if known is not None and known.id != here:
            yield Finding(
                "data root",
                f"the Dagster home records what was made in {known.path}, id {known.id[:12]}. Set "
                "DAGSTER_HOME or ROLESYNTH_DATA, or `rolesynth doctor --adopt` goes on with this "
                "data root.",
                trouble=True,
            )
        yield from _of_runs(instance)
        yield from _of_partitions(instance)


def _of_runs(instance: dg.DagsterInstance) -> Iterator[Finding]:
    import dagster as dg

    from rolesynth_assets.lineage.run_process.dead_runs import end_dead_runs
    from rolesynth_assets.lineage.run_process.identity import HOST, PID

    for dead in end_dead_runs(instance):
        yield Finding("killed run", str(dead), trouble=True)
    held = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(held):
        host = run.tags.get(HOST, "").partition(" ")[0]
        process = f"process {run.tags[PID]} on {host}" if PID in run.tags else ""
        detail = f"{run.run_id[:8]}, {process}" if process else (
            f"{run.run_id[:8]}: its process is not known. If it does not run any more, end it in "
            "the UI (Runs, Terminate, force)"
        )  # fmt: skip
        yield Finding("run in progress", detail, trouble=not process)


def _of_partitions(instance: dg.DagsterInstance) -> Iterator[Finding]:
    from rolesynth_assets.cli.lineage.stale import lost
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.lineage.refresh.given_up import sentences, stored_cursor
    from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
    from rolesynth_assets.lineage.refresh.sensor_tick import given_up, read_cursor

    refresher = Refresher(defs, instance)
    try:
        staleness = refresher.examine(refresher.look())
    except RefreshError as error:
        yield Finding("sources", str(error), trouble=True)
        staleness = refresher.examine()
    total = sum(1 for _ in staleness.stale())
    way_out = "; `rolesynth stale` says why, `rolesynth stale --fix` makes them again"
    detail = way_out if total else ""
    yield Finding("stale partitions", f"{total:,}{detail}")
    for sentence in lost(staleness, list(staleness.states)):
        yield Finding("lost", f"{sentence} Run the command that made them again.", True)
    for sentence in staleness.left_out:
        yield Finding("partition key", sentence, trouble=True)
    cells = given_up(staleness, read_cursor(stored_cursor(instance)))
    for sentence in sentences(instance, cells):
        yield Finding("given up", sentence, trouble=True)


def _of_tables() -> Iterator[Finding]:
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.errors import StoreError
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.schemas import TABLES
    from rolesynth_assets.store.table_identity import identity

    settings: Settings = Settings.load()
    reader = StoreReader(settings.data_root)
    for name in sorted(TABLES):
        try:
            version, rows = reader.version(name), reader.count(name)
        except (StoreError, ValueError, OSError) as error:
            yield Finding("table", f"lance.{name} cannot be read: {error}", trouble=True)
            continue
        if version:
            detail = (identity(settings.data_root, name) or "none")[:12]
            yield Finding("table", f"lance.{name}: {rows:,} rows, version {version}, id {detail}")
    yield from _of_small_tables(settings.data_root)


def _of_small_tables(root: DataPath) -> Iterator[Finding]:
    from rolesynth_assets.store.small.schemas import SMALL_TABLES
    from rolesynth_assets.store.small.tables import SmallTables
    from rolesynth_assets.store.table_identity import SMALL, identity

    small, written = SmallTables(root), 0
    for name in SMALL_TABLES:
        try:
            written += small.dataset(name) is not None
        except (ValueError, OSError) as error:
            yield Finding("table", f"small.{name} cannot be read: {error}", trouble=True)
    if written:
        detail = (identity(root, SMALL) or "none")[:12]
        yield Finding("table", f"small: {written} tables, id {detail}")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
