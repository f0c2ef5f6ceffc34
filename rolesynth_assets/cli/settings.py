"""`rolesynth settings`: what is set, where, and what it means."""

from __future__ import annotations

from typing import Annotated

import typer

WIDE = 400
"""Columns where the output is no terminal."""


def settings(
    begins_with: Annotated[
        str, typer.Argument(help="Only settings whose name begins with this, such as `captions`.")
    ] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what a file or a variable sets.")
    ] = False,
) -> None:
    """Print every setting with its value, its default, its source and one line of help.

    Settings with a dot or in small letters go into `rolesynth.yaml` of the project folder; those in
    capital letters are environment variables, which win over the file. A changed bound of a check
    asks no model again.
    """
    from rich.console import Console
    from rich.table import Table

    from rolesynth_assets.settings_in_use import settings_in_use, unread_variables

    listed = [
        one
        for one in settings_in_use()
        if one.name.casefold().startswith(begins_with.casefold()) and (one.changed or not changed)
    ]
    table = Table(box=None, pad_edge=False, header_style="bold", highlight=False)
    for name in ("setting", "value", "default", "source"):
        table.add_column(name, overflow="fold")
    table.add_column("meaning", overflow="fold", ratio=1)
    for one in listed:
        row = (one.name, one.value, one.default, one.source, one.help)
        table.add_row(*row, style="bold" if one.changed else None)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE  # one line for each setting, for grep
    console.print(table)
    if not listed:
        typer.echo(f"No setting begins with {begins_with!r}." if begins_with else "All as shipped.")
    for variable, near in unread_variables().items():
        hint = f" Did you mean {near}?" if near else ""
        typer.secho(f"{variable} is set, and nothing reads it.{hint}", fg="yellow", err=True)
