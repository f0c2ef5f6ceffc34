"""`rolesynth forget`, which takes shards out of a project and keeps what was paid for them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from rolesynth_assets.cli.printable import printable_json

SHOWN = 20


def forget(
    shard: Annotated[list[str], typer.Argument(help="Shard, such as photos-0000.")],
    reason: Annotated[
        str, typer.Option(help="Reason, which Dagster shows at the partitions.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Forget shards: their rows leave the cut, the pairs and the training sets.

    What was made from them is stale, and nothing else. Captions and scores stay stored, so that
    **rolesynth ingest PATH --again** brings a shard back without paying for it again; to
    remove an image for good, use **rolesynth withdraw**. Source files are not touched. Deleting a
    partition of `image_shard` in Dagster means the same.
    """
    import dagster as dg

    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.images.shards.registry import load_forgotten, load_shards
    from rolesynth_assets.lineage.shards import forget as take_out
    from rolesynth_assets.lineage.staleness.staleness import examine
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store

    root = Settings.load().data_root
    known, before = load_shards(root), load_forgotten(root)
    shards = list(dict.fromkeys(shard))
    if unknown := [key for key in shards if key not in known]:
        there = ", ".join(known) or "none"
        done = [key for key in unknown if key in before]
        said = f" ({', '.join(done)}: forgotten already)" if done else ""
        raise typer.BadParameter(f"no shard {', '.join(unknown)}{said}; there are {there}")
    prepare_home()
    graph = defs.resolve_asset_graph()
    with dg.DagsterInstance.get() as instance:
        stale = {cell for cell, _ in examine(graph, instance).stale()}
        gone = take_out(instance, graph, Store(str(root)), shards, reason or "on demand")
        now = [str(c) for c, _ in examine(graph, instance).stale() if c not in stale]
    if as_json:
        printed = {"forgotten": shards, "partitions": list(map(str, gone)), "stale": now}
        typer.echo(printable_json(printed, indent=1))
        return
    counts = Counter(cell.asset for cell in gone)
    partitions = ", ".join(f"{asset} {count}" for asset, count in counts.items())
    typer.echo(f"Forgotten: {', '.join(shards)} (partitions: {partitions or 'none was made'})")
    if now:
        more = f" and {len(now) - SHOWN} more" if len(now) > SHOWN else ""
        typer.echo(f"Stale now ({len(now)}): {', '.join(now[:SHOWN])}{more}")
        typer.echo("`rolesynth stale --fix` or `rolesynth run` makes them again.")
    typer.echo("What was paid for is kept: `rolesynth ingest PATH --again` brings them back.")
