"""The Dagster webserver behind the guard: `python -m` of this module, started by `services`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import dagster as dg
import uvicorn

from rolesynth_assets.addresses import HOST
from rolesynth_assets.lineage.dagster_internals import webserver_app
from rolesynth_assets.ui.guard import Guard
from rolesynth_assets.ui.origins import origin_at

POLL_MS = 2000
"""Milliseconds between two polls of a page, as in `dagster dev`."""
GRACE_S = 5
"""Seconds by which open web sockets may delay the shutdown."""


def local_origins(port: int) -> list[str]:
    """Return the addresses under which this machine's browsers open the pages."""
    return [origin_at(host, port) for host in (HOST, "localhost")]


def serve(port: int, workspace: str, origins: Sequence[str]) -> None:
    """Serve the pages until a signal ends it.

    Args:
        port: port on the loopback interface.
        workspace: YAML file that names the code server.
        origins: further addresses under which a proxy shows the pages.
    """
    with (
        dg.DagsterInstance.get() as instance,
        webserver_app(instance, workspace, POLL_MS) as app,
    ):
        guarded = Guard(app, [*local_origins(port), *origins])
        uvicorn.run(
            guarded,
            host=HOST,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_S,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--origin", action="append", default=[])
    given = parser.parse_args()
    serve(given.port, given.workspace, given.origin)
