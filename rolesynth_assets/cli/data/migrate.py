"""`rolesynth migrate`, which takes a data root of an earlier version over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rolesynth_assets.store.small.from_duckdb import Moved


def migrate() -> None:
    """Take a data root that an earlier version wrote over into the layout of this one, once.

    Earlier versions kept the small result tables (cut-offs, manifests, training sets, scores,
    tombstones) in the file `warehouse.duckdb`; they are tables below `small/` now. The digests of
    all rows are compared before the file is renamed to `warehouse.duckdb.migrated`, which you may
    delete. Nothing becomes stale. A migration that was interrupted begins again. End all runs
    first; an earlier version cannot work on the data root afterwards.
    """
    from rolesynth_assets.data_paths import DataPaths
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.errors import StoreError
    from rolesynth_assets.store.small.from_duckdb import move_out_of_duckdb

    root = Settings.load(any_layout=True).data_root
    try:
        left = move_out_of_duckdb(root, _show)
    except StoreError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if left is None:
        typer.echo(f"{root} has the layout of this version: nothing to do.")
    else:
        typer.echo(f"All rows are in {DataPaths(root).small}. {left} is not read any more.")


def _show(moved: Moved) -> None:
    typer.echo(f"{moved.table:20} {moved.rows:>9,} rows, digest {moved.digest[:12]} verified")
