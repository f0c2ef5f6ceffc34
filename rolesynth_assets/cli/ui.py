"""`rolesynth ui`: the Dagster UI on this machine, behind its guard."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

HOST = "127.0.0.1"


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy that shows the pages, https://...; repeatable."),
    ] = None,
) -> None:
    """Open the Dagster UI on 127.0.0.1 with what was made here: lineage, partitions, pictures.

    It runs until Ctrl-C, with the daemon that plays schedules and sensors. Nobody but this machine
    can reach it, and no page of another site can ask it for anything.
    """
    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.ui.services import serve

    _require_free(port)
    prepare_home()
    typer.echo(f"Dagster UI on http://{HOST}:{port} (Ctrl-C ends it)")
    if ended := serve(port, [address.lower().rstrip("/") for address in origin or ()]):
        typer.secho(f"the {ended} ended by itself; what it printed is above", fg="red", err=True)
        raise typer.Exit(1)


def _require_free(port: int) -> None:
    """End the command where nobody could listen on the port; the webserver starts much later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed a moment ago is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            typer.secho(
                f"port {port} cannot be used: {error.strerror}. Perhaps a UI is open already at "
                f"http://{HOST}:{port}; `rolesynth ui --port NUMBER` takes another port",
                fg="red",
                err=True,
            )
            raise typer.Exit(1) from error
