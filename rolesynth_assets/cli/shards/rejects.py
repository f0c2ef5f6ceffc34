"""`rolesynth rejects`, which lists the files of a shard that are no usable images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.printable import printable, printable_json

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.settings import Settings


def rejects(
    shard: Annotated[
        list[str] | None, typer.Argument(help="Shard, such as photos-0000; by default all.")
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(help="List only files with this reason; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Files listed of a shard; 0 lists all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print all files as JSON.")] = False,
) -> None:
    """List the files that are no usable images, each with its reason.

    A file that occurs twice (`duplicate`) or was withdrawn is listed too, but does not count
    towards `thresholds.max_reject_share`, above which a shard is not used.
    """
    from rolesynth_assets.images.metadata import stored_rejects
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader

    settings = Settings.load()
    store = StoreReader(str(settings.data_root))
    found = {key: stored_rejects(store, key) for key in _shards(settings, shard or ())}
    if reason:
        import polars as pl

        found = {k: rows.filter(pl.col("reason").is_in(reason)) for k, rows in found.items()}
    if as_json:
        columns = ["shard", "source", "reason", "detail"]
        rows = [row for of in found.values() for row in of.select(columns).to_dicts()]
        typer.echo(printable_json(rows, indent=1))
        return
    for key, rows in found.items():
        if shard or not rows.is_empty():
            _print(key, rows, store.count("images", {"shard": key}), limit)
    if all(rows.is_empty() for rows in found.values()) and not shard:
        typer.echo("No file was rejected.")


def _shards(settings: Settings, asked: Sequence[str]) -> list[str]:
    from rolesynth_assets.images.shards.registry import load_forgotten, load_shards

    known = load_shards(settings.data_root)
    if not asked:
        return list(known)
    all_of_them = known | load_forgotten(settings.data_root)
    if unknown := sorted(set(asked) - set(all_of_them)):
        raise typer.BadParameter(
            f"no shard {', '.join(unknown)}; there are {', '.join(all_of_them) or 'none yet'}"
        )
    return list(dict.fromkeys(asked))


def _print(shard: str, rows: pl.DataFrame, images: int, limit: int) -> None:
    from collections import Counter

    counts = Counter(rows["reason"].to_list())
    by_reason = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    typer.secho(f"{shard}: {images:,} images, {rows.height:,} rejected", bold=True)
    if by_reason:
        typer.echo(f"  by reason: {by_reason}")
    listed = rows.head(limit) if limit else rows
    for source, reason, detail in listed.select("source", "reason", "detail").iter_rows():
        typer.echo(printable(f"  {reason:<20} {source}{f' ({detail})' if detail else ''}"))
    if listed.height < rows.height:
        typer.echo(f"  and {rows.height - listed.height:,} more; `--limit 0` lists all")
