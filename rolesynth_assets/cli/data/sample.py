"""`rolesynth sample`, which prints captions drawn at random."""

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


def sample(
    role_set: RoleSet = "",
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=5000, help="Rows.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the draw; the same seed, the same rows.")] = 0,
    kept: Kept = None,
    role: Role = "",
    length: Length = "",
    shard: Shard = "",
    as_json: AsJson = False,
) -> None:
    """Print captions drawn at random, with their score and what the filter decided.

    **rolesynth sample --role-set roles5 --dropped -n 20**
    """
    _, store = open_store()
    from rolesynth_assets.browse.captions.columns import read_columns
    from rolesynth_assets.browse.captions.select import matching
    from rolesynth_assets.browse.captions.view import View

    view = View(
        chosen_role_set(store, role_set),
        decision=decision(kept),
        role=role,
        length=length,
        shard=shard,
    )
    columns = read_columns(store, view.role_set)
    found = matching(columns.frame, view)
    rows = found.sample(min(number, found.height), seed=seed, shuffle=True)
    print_captions(store, columns, rows, as_json=as_json)
    if not as_json:
        typer.echo(f"{rows.height:,} of {found.height:,} captions, drawn with seed {seed}")
