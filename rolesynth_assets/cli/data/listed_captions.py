"""Captions listed in the terminal: as a table, or as one JSON object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rolesynth_assets.cli.printable import printable, printable_json

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.browse.captions.cards import ShownCaption
    from rolesynth_assets.browse.captions.columns import CaptionColumns
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader

RoleSet = Annotated[
    str, typer.Option(help="Role set of the captions; needed where there are several.")
]
Role = Annotated[str, typer.Option(help="Only captions of this role.")]
Length = Annotated[str, typer.Option(help="Only long or only short captions.")]
Shard = Annotated[str, typer.Option(help="Only captions of this image shard.")]
Kept = Annotated[
    bool | None, typer.Option("--kept/--dropped", help="Only captions that the filter kept.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def open_store() -> tuple[Settings, StoreReader]:
    """Open the tables that the settings name, for reading."""
    from rolesynth_assets.store.lance.fast_import import import_lance_without_pandas

    import_lance_without_pandas()
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader

    settings = Settings.load()
    return settings, StoreReader(str(settings.data_root))


def chosen_role_set(store: StoreReader, asked: str) -> str:
    """Return the role set that was asked for, or the only one that has captions.

    Raises:
        typer.BadParameter: it has no captions, or there are several to choose from.
    """
    from rolesynth_assets.browse.captions.columns import role_sets

    known = role_sets(store)
    if not known:
        raise typer.BadParameter(
            "there are no captions yet: `rolesynth run --role-set NAME` writes them"
        )
    if asked and asked not in known:
        raise typer.BadParameter(f"no captions of {asked}; there are some of {', '.join(known)}")
    if not asked and len(known) > 1:
        raise typer.BadParameter(f"--role-set is missing; there are {', '.join(known)}")
    return asked or known[0]


def decision(kept: bool | None) -> str:
    """Return the decision that a filter of captions asks for."""
    return "" if kept is None else "kept" if kept else "dropped"


def print_captions(
    store: StoreReader, columns: CaptionColumns, rows: pl.DataFrame, *, as_json: bool
) -> None:
    """Print captions in the order given, with where their images were read from.

    Args:
        store: the tables.
        columns: the role set of the captions.
        rows: rows of `columns.frame`.
        as_json: whether to print one JSON object a line.
    """
    from rolesynth_assets.browse.captions.cards import image_facts, shown_captions

    captions = list(shown_captions(columns, rows))
    facts = image_facts(store, list({caption.image_id for caption in captions}))
    sources = {image: fact["source"] for image, fact in facts.items()}
    if as_json:
        for caption in captions:
            found = as_record(caption, sources.get(caption.image_id, ""))
            typer.echo(printable_json(found))
        return
    from rich.console import Console
    from rich.table import Table

    from rolesynth_assets.browse.words import file_name
    from rolesynth_assets.lineage.trace.sources import short

    table = Table(box=None, pad_edge=False, header_style="bold", show_lines=False)
    for name in ("score", "decision", "role", "caption"):
        table.add_column(name, justify="right" if name == "score" else "left")
    table.add_column("image", overflow="fold")
    for caption in captions:
        score = "" if caption.score is None else str(caption.score)
        said = caption.text if caption.text is not None else f"[{caption.reason}]"
        what = caption.decision if caption.decision == "kept" else caption.reason or "open"
        of = f"{caption.role}, {caption.length}"
        place = f"{short(caption.image_id)} {file_name(sources.get(caption.image_id, ''))}"
        table.add_row(*(printable(cell) for cell in (score, what, of, said, place)))
    Console(highlight=False, markup=False).print(table)


def as_record(caption: ShownCaption, source: str) -> dict[str, Any]:
    """Return a caption as plain values."""
    names = (
        *("caption_id", "image_id", "shard", "role", "length", "text"),
        *("score", "decision", "reason", "model", "run_id"),
    )
    record = {name: caption.row[name] for name in names}
    relevance = {"relevance": caption.row["relevance"]} if "relevance" in caption.row else {}
    return {
        **record,
        "rationale": caption.judged.get("rationale"),
        "judge": caption.judged.get("judge"),
        "source": source,
        **relevance,
    }
