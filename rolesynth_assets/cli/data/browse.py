"""`rolesynth browse`, which serves pages on the data itself: look, search, review."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from rolesynth_assets.addresses import BROWSE_PORT, HOST, UI
from rolesynth_assets.cli.ui import enter_existing_demo, require_free


def browse(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = BROWSE_PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Any but 127.0.0.1 asks for a token.")
    ] = HOST,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Address under which browsers open the pages, http://...; repeatable."),
    ] = None,
    ui: Annotated[
        str, typer.Option(help="Address of the Dagster UI that runs and partitions link to.")
    ] = UI,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show the demo's project, not the current one.")
    ] = False,
) -> None:
    """Look at images, captions and problems, search them and review them, in a browser.

    It runs until Ctrl-C and can run beside `rolesynth ui`. Only this machine can reach it, unless
    `--host` names another address; then the printed address holds a token, without which no page
    opens. Nothing is written but reviews, exclusions and small copies of pictures; an image is
    withdrawn, and what is stale is made, only after a page has shown what that does.

    **rolesynth browse**

    and for others in the network:

    **rolesynth browse --host 192.168.1.5**
    """
    from secrets import token_urlsafe

    from rolesynth_assets.browse.desk import Desk
    from rolesynth_assets.browse.server import serve
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.ui.origins import given_origin, is_loopback, own_origins, plain_host

    host, given = plain_host(host), [given_origin(address) for address in origin or ()]
    require_free(host, port, "browse")
    if demo:
        enter_existing_demo()
    if host in ("0.0.0.0", "::") and not given:
        raise typer.BadParameter(
            f"--host {host} listens at every address of this machine: name the one under which "
            "browsers open the pages, such as --origin http://192.168.1.5:3100"
        )
    token = "" if is_loopback(host) and not given else token_urlsafe(24)
    origins = [*own_origins(host, port), *given]
    address = given[0] if given else origins[0]
    at = f"{address}/?token={token}" if token else address
    typer.echo(f"Browse on {at} (Ctrl-C ends it)")
    desk = Desk(Settings.load(), ui=ui, prepare=_home_once())
    serve(desk, host, port, origins, token)


def _home_once() -> Callable[[], object]:
    """Return a function that makes the Dagster home ready, the first time that it is called."""
    from functools import cache

    from rolesynth_assets.cli.dagster_home import prepare_home

    return cache(prepare_home)
