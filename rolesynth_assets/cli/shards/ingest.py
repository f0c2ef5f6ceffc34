"""`rolesynth ingest`, which registers images as shards and reads them in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.refresh import refresh
from rolesynth_assets.cli.work.caption_work import CaptionWork
from rolesynth_assets.counted import are, counted
from rolesynth_assets.files.object_path import DataPath

if TYPE_CHECKING:
    from rolesynth_assets.images.shards.planning import PlanRules
    from rolesynth_assets.settings import Settings


def ingest(
    path: Annotated[
        str,
        typer.Argument(
            help="Folder of images, tar(s), zip(s) or parquet; or s3://bucket/prefix, gs://..."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the shards; by default the path's.")] = "",
    column: Annotated[str, typer.Option(help="Parquet column that holds the images.")] = "",
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Plan and read all of the path again, after files were mended or replaced; also "
            "brings forgotten shards back.",
        ),
    ] = False,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing",
            help="With --again: remove the rows of files that are gone at once, not after "
            "missing_grace_days.",
        ),
    ] = False,
) -> None:
    """Register images as shards and read them in; unusable files are listed with their reason.

    Running it again registers only new images. A shard with too many unusable files fails and
    stops no other: **rolesynth rejects SHARD** lists the files, **rolesynth ingest PATH --again**
    reads the path again, and **rolesynth forget SHARD** drops the shard.

    A table with several columns of images is read one --column at a time. A bucket is read with
    the usual AWS_* or GOOGLE_* variables, including AWS_ENDPOINT_URL; set AWS_SKIP_SIGNATURE=true
    for a public bucket.
    """
    from rolesynth_assets.images.places.buckets import BucketError
    from rolesynth_assets.images.places.place import place_name
    from rolesynth_assets.images.shards.planning import PlanRules
    from rolesynth_assets.settings import Settings

    if drop_missing and not again:
        raise typer.BadParameter("--drop-missing goes with --again")
    began, settings = time.perf_counter(), Settings.load()
    rules = PlanRules(settings.shard_size, column or None, container=settings.limits.container)
    name = name or place_name(path)
    try:
        if again:
            work = _again(settings, path, name, rules, drop_missing)
        else:
            work = _new(settings.data_root, path, name, rules)
    except (OSError, ValueError, BucketError) as error:
        raise typer.BadParameter(str(error)) from error
    refresh(began, work)


def _new(data_root: DataPath, path: str, name: str, rules: PlanRules) -> CaptionWork:
    """Register what is new; failures of earlier shards do not count as failures of this command."""
    from rolesynth_assets.images.shards.planned_again import lies_in
    from rolesynth_assets.images.shards.registry import (
        load_forgotten,
        load_shards,
        register_path,
    )

    left_out: list[str] = []
    new = register_path(data_root, path, name, rules, left_out=left_out)
    for said in left_out:
        typer.secho(said, fg="yellow", err=True)
    keys = [shard.key for shard in new]
    typer.echo(f"{counted(len(keys), 'new shard')}: {', '.join(keys) or 'nothing new'}")
    forgotten = [k for k, s in load_forgotten(data_root).items() if lies_in(s, path)]
    if forgotten:
        typer.echo(
            f"forgotten shards of this path stay out: {', '.join(forgotten)}; --again brings them "
            "back"
        )
    return CaptionWork(quiet_about=set(load_shards(data_root)) - set(keys))


def _again(
    settings: Settings, path: str, name: str, rules: PlanRules, drop_missing: bool
) -> CaptionWork:
    """Plan all of a path again, and read it in whatever the state of its shards."""
    import dagster as dg

    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.images.missing import kept_until, members_with_images
    from rolesynth_assets.images.shards.locks import changing_shards
    from rolesynth_assets.images.shards.portable import base_of
    from rolesynth_assets.images.shards.registry import load_shards, register_path_again
    from rolesynth_assets.lineage.shards import SHARDS
    from rolesynth_assets.store.lance.reader import StoreReader

    prepare_home()
    data_root = settings.data_root
    store, base = StoreReader(str(data_root)), base_of(data_root)
    with changing_shards(data_root):
        found = register_path_again(
            data_root,
            path,
            name,
            rules,
            None if drop_missing else lambda shard: members_with_images(store, shard, base),
        )
        # a shard that comes back is not one whose partition somebody deleted
        with dg.DagsterInstance.get() as instance:
            instance.add_dynamic_partitions(SHARDS, [*found.changed, *found.same])
    notes = {
        "new": found.new,
        "changed": found.changed,
        "read again": found.same,
        "forgotten, since none of their files is left": found.emptied,
    }
    for what, keys in notes.items():
        if keys:
            typer.echo(f"{counted(len(keys), 'shard')} {what}: {', '.join(keys)}")
    for key, members in found.missing.items():
        until = kept_until(store, key, settings.ingest.missing_grace_days)
        typer.echo(
            f"{_files(members)} gone from {key}; {'their' if members[1:] else 'its'} rows are kept "
            f"until {until:%Y-%m-%d %H:%M} UTC, and --drop-missing removes them at once"
        )
    for key, members in found.dropped.items():
        typer.echo(f"{_files(members)} gone from {key}, which no longer lists them")
    return CaptionWork(
        changed=found.changed,
        read_again=found.same,
        emptied=found.emptied,
        quiet_about=set(load_shards(data_root)) - {*found.new, *found.changed, *found.same},
    )


def _files(members: Sequence[str]) -> str:
    return f"{counted(len(members), 'file')} {are(len(members))}"
