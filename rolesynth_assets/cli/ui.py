"""`rolesynth ui`, which serves the Dagster UI on this machine, behind its guard."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from rolesynth_assets.addresses import HOST, UI_PORT


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = UI_PORT,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy that serves the pages, https://...; repeatable."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show the demo's project, not the current one.")
    ] = False,
) -> None:
    """Serve the Dagster UI on 127.0.0.1, with the lineage, partitions and pictures of this project.

    It runs until Ctrl-C, with the daemon that runs schedules and sensors. Only this machine can
    reach it, and it refuses requests from pages of other sites.
    """
    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.ui.origins import given_origin
    from rolesynth_assets.ui.services import serve

    given = [given_origin(address) for address in origin or ()]
    require_free(HOST, port, "ui")
    if demo:
        enter_existing_demo()
    prepare_home()
    typer.echo(f"Dagster UI on http://{HOST}:{port} (Ctrl-C ends it)")
    if ended := serve(port, given):
        typer.secho(f"the {ended} ended by itself; what it printed is above", fg="red", err=True)
        raise typer.Exit(1)


def enter_existing_demo() -> None:
    """Work in the demo's project folder, or end the command if there is none."""
    from rolesynth_assets.cli.demo_project import demo_folder, enter_demo

    if not demo_folder().is_dir():
        raise typer.BadParameter(
            f"there is no demo here: {demo_folder()} does not exist. `rolesynth demo` makes it; "
            "`rolesynth ui` shows your own project"
        )
    enter_demo()


def require_free(host: str, port: int, command: str) -> None:
    """End a command if its port cannot be used, because its server starts much later."""
    from rolesynth_assets.ui.origins import origin_at

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # a port that was closed a moment ago counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            typer.secho(
                f"port {port} cannot be used: {error.strerror}. The pages may already be open at "
                f"{origin_at(host, port)}; `rolesynth {command} --port NUMBER` uses another port",
                fg="red",
                err=True,
            )
            raise typer.Exit(1) from error
