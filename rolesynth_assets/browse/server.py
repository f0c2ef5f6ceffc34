"""Serving the pages of `rolesynth browse`."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk


def serve(desk: Desk, host: str, port: int, origins: Sequence[str], token: str = "") -> None:
    """Serve the pages until a signal ends it.

    Args:
        desk: what the pages work with.
        host: address to listen at.
        port: port to listen at.
        origins: addresses under which browsers open the pages.
        token: what a browser must show; empty on the loopback.
    """
    app = guarded_app(desk, origins, token)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)
