"""`rolesynth trace`, which follows a row, checkpoint or score to its causes and its effects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.addresses import UI
from rolesynth_assets.cli.printable import printable_json
from rolesynth_assets.data_paths import dagster_home

if TYPE_CHECKING:
    from rolesynth_assets.lineage.trace.graph import Trace
    from rolesynth_assets.lineage.trace.sources import Sources

"""Address at which `rolesynth ui` serves the Dagster UI."""


def trace(
    subject: Annotated[
        str,
        typer.Argument(
            help="An image file; an id, or its beginning, of an image, caption, score, seed, "
            "candidate, problem, verdict or role (optionally with a prefix such as image: or "
            "caption:); a digest, a model's revision or a run as a page shows it; "
            "or a partition such as training_sets[roles5], clip_checkpoints[roles5|0] or "
            "benchmark_scores[glyphs|roles5]."
        ),
    ],
    limit: Annotated[
        int, typer.Option(min=0, help="Rows listed of a training set or a seed; 0 lists all.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print nodes and edges as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained page with pictures and texts.")
    ] = None,
    ui: Annotated[str, typer.Option(help="Address of the Dagster UI that run ids link to.")] = UI,
) -> None:
    """Follow a row, a checkpoint or a score to everything it came from and everything it led to.

    A checkpoint is traced to the rows that it was trained on, even if they have changed since.
    """
    from rolesynth_assets.cli.lineage.trace_tree import print_trace
    from rolesynth_assets.lineage.trace.subject import SubjectError
    from rolesynth_assets.lineage.trace.trace import trace as follow

    sources = stored_sources()
    try:
        traced = follow(sources, subject, limit=limit)
    except SubjectError as error:
        shown = _shown_in_dagster(subject, limit)
        if shown is None:
            raise typer.BadParameter(str(error)) from error
        traced = follow(sources, shown, limit=limit) if isinstance(shown, str) else shown
    if html is not None:
        from rolesynth_assets.cli.lineage.trace_page import trace_page
        from rolesynth_assets.lineage.trace.pictures import trace_pictures

        page = trace_page(traced, ui, trace_pictures(sources, traced))
        try:
            html.write_text(page, encoding="utf-8")
        except OSError as error:
            raise typer.BadParameter(f"{html} cannot be written: {error.strerror}") from error
    if as_json:
        typer.echo(printable_json(traced.to_json(), indent=1))
    elif html is None:
        print_trace(traced, ui)
    else:
        typer.echo(f"{html}: {len(traced.nodes)} rows and artefacts")


def _shown_in_dagster(text: str, limit: int) -> Trace | str | None:
    """Look for an id among what the pages of the UI show; see `trace_shown`."""
    home = dagster_home().resolve()
    if not home.is_dir():
        return None
    import dagster as dg

    from rolesynth_assets.lineage.trace.shown import trace_shown

    os.environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.get() as instance:
        return trace_shown(instance, text.rpartition(":")[2], limit)


def stored_sources() -> Sources:
    """Open the stored tables that the settings name, for reading."""
    from rolesynth_assets.store.lance.fast_import import import_lance_without_pandas

    import_lance_without_pandas()
    from rolesynth_assets.lineage.trace.sources import TRACED_TABLES, Sources
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.snapshot import Snapshot
    from rolesynth_assets.store.small.tables import SmallTables

    settings = Settings.load()
    snapshot = Snapshot(SmallTables(settings.data_root), TRACED_TABLES)
    return Sources(StoreReader(str(settings.data_root)), snapshot, settings.data_root)
