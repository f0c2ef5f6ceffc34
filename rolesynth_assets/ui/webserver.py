"""The Dagster webserver behind the guard: `python -m` of this module, started by `services`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import dagster as dg
import uvicorn

from rolesynth_assets.addresses import HOST
from rolesynth_assets.lineage.dagster_internals import webserver_app
from rolesynth_assets.ui.guard import Guard
from rolesynth_assets.ui.origins import own_origins

POLL_MS = 2000
"""Milliseconds between two polls of a page, as in `dagster dev`."""
GRACE_S = 5
"""Seconds by which open web sockets may delay the shutdown."""
SWITCH_S = 0.0001
"""Seconds for which a thread may keep the interpreter while others wait for it.

SQLite gives it up for each row. A page asks eight things at once, so with Python's 5 ms every row
of 2,000 would wait for the other threads' turns, ten seconds in all.
"""


def serve(port: int, workspace: str, origins: Sequence[str]) -> None:
    """Serve the pages until a signal ends it.

    Args:
        port: port on the loopback interface.
        workspace: YAML file that names the code server.
        origins: further addresses under which a proxy shows the pages.
    """
    sys.setswitchinterval(SWITCH_S)
    with (
        dg.DagsterInstance.get() as instance,
        webserver_app(instance, workspace, POLL_MS) as app,
    ):
        guarded = Guard(app, [*own_origins(HOST, port), *origins])
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
