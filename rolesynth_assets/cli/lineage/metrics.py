"""`rolesynth metrics`, which shows what runs have recorded to Prometheus."""

from __future__ import annotations

import time
from typing import Annotated

import typer

LOOPBACK = "127.0.0.1"


def metrics(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve /metrics at this port until interrupted."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="With --port: the address to listen on; anybody there can read it.")
    ] = LOOPBACK,
    examine_every: Annotated[
        float,
        typer.Option(min=10, help="With --port: seconds between two looks at what is stale."),
    ] = 300,
) -> None:
    """Print calls, tokens, cost, rows and stale partitions in the text format of Prometheus.

    The numbers are sums over all runs that the Dagster home has recorded, so they do not depend on
    when a run is at work. With `--port` they are served at http://HOST:PORT/metrics; without it
    they are printed once, for a text file of node_exporter.
    """
    from prometheus_client import CollectorRegistry, generate_latest, start_http_server

    from rolesynth_assets.cli.dagster_home import existing_instance
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.lineage.metrics.collector import InstanceMetrics
    from rolesynth_assets.lineage.refresh.runner import Refresher

    with existing_instance() as instance:
        collector, registry = InstanceMetrics(Refresher(defs, instance)), CollectorRegistry()
        collector.examine()
        registry.register(collector)
        if port is None:
            typer.echo(generate_latest(registry).decode(), nl=False)
            return
        try:
            server, _ = start_http_server(port, host, registry)
        except OSError as error:
            raise typer.BadParameter(f"cannot listen on {host}:{port}: {error}") from error
        typer.echo(f"http://{host}:{server.server_port}/metrics, Ctrl-C ends it")
        try:
            while True:
                time.sleep(examine_every)
                try:
                    collector.examine()
                except Exception as error:  # calls and rows are served all the same
                    typer.echo(f"the partitions could not be examined: {error}", err=True)
        except KeyboardInterrupt:
            server.shutdown()
