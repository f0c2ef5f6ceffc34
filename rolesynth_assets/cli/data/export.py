"""`rolesynth export`, which writes data sets that trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rolesynth_assets.cli.data.listed_captions import RoleSet, chosen_role_set, open_store

export = typer.Typer(no_args_is_help=True, help="Write data sets that trainers and people read.")


@export.command()
def pairs(
    out: Annotated[
        Path, typer.Option(help="Folder to write; an earlier export in it is replaced.")
    ],
    role_set: Annotated[
        str, typer.Option(help="Role set of the pairs; needed where there are several.")
    ] = "",
    form: Annotated[
        str, typer.Option("--format", help="webdataset, parquet or hf (Hugging Face datasets).")
    ] = "webdataset",
) -> None:
    """Write a role set's kept captions with their images, one sample an image.

    A WebDataset sample is the image, a .txt with its best caption and a .json with all kept ones.
    Parquet and hf have one row an image with a list of captions; `datasets.load_dataset(FOLDER)`
    reads the latter. Withdrawn images and excluded captions are not in it; an export that was
    written before a withdrawal has to be written again.

    **rolesynth export pairs --role-set roles5 --format hf --out exports/roles5**
    """
    _, store = open_store()
    from rolesynth_assets.cli.progress_bars import bars
    from rolesynth_assets.pairs.exports.formats import ExportFormat, export_pairs

    if form not in [*ExportFormat]:
        raise typer.BadParameter(f"--format {form} is none of {', '.join(ExportFormat)}")
    name = chosen_role_set(store, role_set)
    with bars() as reporting:
        count = export_pairs(store, name, ExportFormat(form), out, reporting(f"export {name}"))
    typer.echo(f"{out}: {count:,} images of {name} with their kept captions")


@export.command()
def site(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write; an earlier export in it is replaced.")
    ],
    role_set: RoleSet = "",
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, max=1000, help="Images on the page.")
    ] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the draw; the same seed, the same page.")] = 0,
) -> None:
    """Write a page with some images, all their captions, scores and decisions, to publish.

    The page needs no server and no other host. It holds small pictures of the images, so publish it
    only if their licence allows that, and write it again after a withdrawal.

    **rolesynth export site docs/sample --role-set roles5**
    """
    settings, store = open_store()
    from rolesynth_assets.browse.desk import Desk
    from rolesynth_assets.browse.site import write_site

    name = chosen_role_set(store, role_set)
    count = write_site(Desk(settings), name, folder, number, seed)
    typer.echo(f"{folder / 'index.html'}: {count:,} images of {name} with their captions")
