"""`rolesynth ingest`, which registers images as shards and reads them in."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from rolesynth_assets.cli.refresh import CaptionWork, refresh


def ingest(
    path: Annotated[
        str,
        typer.Argument(
            help="Folder of images, tar(s), zip(s) or parquet; or s3://bucket/prefix, gs://..."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the shards; by default the path's.")] = "",
    column: Annotated[str, typer.Option(help="Parquet column that holds the images.")] = "",
) -> None:
    """Register images as shards and read them in; unusable files are listed with their reason.

    Running it again registers only new images. A table with several columns of images is read one
    --column at a time. A bucket is read with the usual AWS_* or GOOGLE_*
    variables, including AWS_ENDPOINT_URL; set AWS_SKIP_SIGNATURE=true for a public bucket.
    """
    from rolesynth_assets.images.places.buckets import BucketError
    from rolesynth_assets.images.places.place import place_name
    from rolesynth_assets.images.shards.registry import register_path
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    left_out: list[str] = []
    try:
        new = register_path(
            settings.data_root,
            path,
            name or place_name(path),
            shard_size=settings.shard_size,
            column=column or None,
            container=settings.limits.container,
            left_out=left_out,
        )
    except (OSError, ValueError, BucketError) as error:
        raise typer.BadParameter(str(error)) from error
    for said in left_out:
        typer.secho(said, fg="yellow", err=True)
    typer.echo(f"{len(new)} new shards: {', '.join(shard.key for shard in new) or 'nothing new'}")
    refresh(time.perf_counter(), CaptionWork())
