"""`rolesynth search`, which finds captions by their words."""

from __future__ import annotations

from typing import Annotated

import typer

from rolesynth_assets.cli.data.listed_captions import (
    AsJson,
    Kept,
    Length,
    Role,
    RoleSet,
    Shard,
    chosen_role_set,
    decision,
    open_store,
    print_captions,
)


def search(
    words: Annotated[str, typer.Argument(help="Words to search for, such as two dogs on snow.")],
    role_set: RoleSet = "",
    kept: Kept = None,
    role: Role = "",
    length: Length = "",
    shard: Shard = "",
    limit: Annotated[int, typer.Option(min=1, max=5000, help="Captions to print.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find captions by their words, the best matches first.

    A match needs one of the words and is better the more of them it has, the rarer ones first
    (BM25); endings do not count. The asset `caption_index` holds the index: `rolesynth run` makes
    it, and `rolesynth stale` says whether it is up to date.

    **rolesynth search "two dogs on snow" --role-set roles5 --kept --json**
    """
    settings, store = open_store()
    from rolesynth_assets.browse.captions.columns import read_columns
    from rolesynth_assets.browse.captions.search import hits_of, search_state
    from rolesynth_assets.browse.captions.select import matching
    from rolesynth_assets.browse.captions.view import View

    view = View(
        chosen_role_set(store, role_set),
        q=words,
        decision=decision(kept),
        role=role,
        length=length,
        shard=shard,
    )
    columns = read_columns(store, view.role_set)
    state = search_state(settings.data_root, view, columns)
    if not state.ready:
        raise typer.BadParameter(
            f"the captions of {view.role_set} have no index yet; make it with `{state.command}`"
        )
    if state.behind:
        typer.secho(
            f"Captions have changed since the index was made; `{state.command}` brings it up to "
            "date.",
            fg="yellow",
            err=True,
        )
    found = matching(columns.frame, view, hits_of(settings.data_root, view))
    rows = found.sort("relevance", "row", descending=[True, False]).head(limit)
    print_captions(store, columns, rows, as_json=as_json)
    if not as_json:
        typer.echo(f"{rows.height:,} of {found.height:,} captions that match")
