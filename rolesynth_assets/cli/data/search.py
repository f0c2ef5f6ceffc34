"""`rolesynth search`, which finds captions by their words."""

from __future__ import annotations

from typing import Annotated

import typer

from rolesynth_assets.browse.captions.view import SearchBy
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
    by: Annotated[
        SearchBy, typer.Option(help="Compare words, the meaning, or both and join the places.")
    ] = SearchBy.WORDS,
    role_set: RoleSet = "",
    kept: Kept = None,
    role: Role = "",
    length: Length = "",
    shard: Shard = "",
    limit: Annotated[int, typer.Option(min=1, max=5000, help="Captions to print.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find captions by their words or their meaning, the best matches first.

    By words (the default), a match needs one of the words and is better the more of them it has,
    the rarer ones first (BM25); endings do not count. By meaning, captions are compared as sentence
    embeddings, and the 1,000 nearest are found; `both` joins the places in both (reciprocal rank
    fusion). The asset `caption_index` holds the index of words, which `rolesynth run` makes, and
    `meaning_index` the other one; `rolesynth stale` says whether they are up to date.

    **rolesynth search "two dogs on snow" --role-set roles5 --kept --json**

    **rolesynth search "pets in winter" --by meaning**
    """
    settings, store = open_store()
    from rolesynth_assets.browse.captions.columns import read_columns
    from rolesynth_assets.browse.captions.search import hits_of, search_state
    from rolesynth_assets.browse.captions.select import matching
    from rolesynth_assets.browse.captions.view import View

    view = View(
        chosen_role_set(store, role_set),
        q=words,
        by=by,
        decision=decision(kept),
        role=role,
        length=length,
        shard=shard,
    )
    columns = read_columns(store, view.role_set)
    state = search_state(settings.data_root, view, columns)
    if not state.ready:
        raise typer.BadParameter(
            f"the captions of {view.role_set} have no index for a search by {by} yet; make it with "
            f"`{state.command}`"
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
