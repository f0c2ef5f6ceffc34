"""`rolesynth batches`: the open batches, and how one of them is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rolesynth_assets.mllm.rows.batch_ledger import Batch
    from rolesynth_assets.settings import Settings

batches = typer.Typer(
    invoke_without_command=True,
    help="List the open batches of the engine openai-batch, cancel one, or forget one.",
)

BatchId = Annotated[
    str, typer.Argument(metavar="BATCH", help="Id of the batch, as `rolesynth batches` lists it.")
]


@batches.callback()
def listed(
    context: typer.Context,
    offline: Annotated[
        bool, typer.Option("--offline", help="Show what was known last, and ask no server.")
    ] = False,
) -> None:
    """List the open batches of the engine openai-batch: state, answers so far, partition.

    **rolesynth run** collects them. A batch that nobody wants any more is ended with **rolesynth
    batches cancel**.
    """
    if context.invoked_subcommand is not None:
        return
    from rolesynth_assets.cli.work.open_batches import engines, look
    from rolesynth_assets.mllm.rows.batch_ledger import open_batches
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    found = open_batches(settings.data_root)
    if not any(found.values()):
        typer.echo("No batch is open.")
        return
    if not offline:
        look(settings)
        found = open_batches(settings.data_root)
    asked = engines(settings)
    for table, of in found.items():
        for batch in of:
            typer.echo(f"{table}: {batch.in_words}, model {batch.model} at {batch.base_url}")
        others = {b.base_url for b in of} - {asked[table].base_url if table in asked else None}
        if others:
            typer.secho(
                f"The states at {', '.join(sorted(others))} are those known last: the engine of "
                f"{table} is not openai-batch at that address now.",
                fg="yellow",
            )
    typer.echo("`rolesynth run` collects what has ended.")


@batches.command()
def cancel(batch: BatchId) -> None:
    """Cancel a batch at its server. What it has answered is paid, and the next run collects it.

    Requests without an answer become rows that the next but one run asks for again.
    """
    from rolesynth_assets.cli.work.open_batches import engines
    from rolesynth_assets.mllm.batch.looking import cancel as cancel_at_server
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    table, found = _found(settings, batch)
    engine = engines(settings).get(table)
    if engine is None or engine.base_url != found.base_url:
        raise typer.BadParameter(
            f"batch {batch} is at {found.base_url}: set the engine of {table} to openai-batch "
            "with that address and its key"
        )
    if not found.batch_id:
        raise typer.BadParameter(
            f"batch {batch} is not submitted yet; `rolesynth batches forget {batch}` drops it"
        )
    after = cancel_at_server(engine, settings.data_root, table, found)
    typer.echo(f"{after.in_words}\n`rolesynth run` collects what it has answered.")


@batches.command()
def forget(
    batch: BatchId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a batch: its answers are not collected, and its requests are asked, and paid, anew.

    For a batch that its server does not have any more, or that was made at another address. It does
    not cancel the batch.
    """
    from rolesynth_assets.mllm.rows.batch_ledger import Ledger, ledger_path
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    table, found = _found(settings, batch)
    typer.echo(f"{found.in_words}, model {found.model} at {found.base_url}")
    if not yes and not typer.confirm(
        f"Forget it? Its {found.total:,} requests are paid again when they are asked anew.",
        default=False,
    ):
        raise typer.Exit(1)
    with Ledger(ledger_path(settings.data_root, table)) as ledger:
        ledger.close(found.name)
    typer.echo("Forgotten.")


def _found(settings: Settings, name: str) -> tuple[str, Batch]:
    from rolesynth_assets.mllm.rows.batch_ledger import open_batches

    found = open_batches(settings.data_root)
    for table, of in found.items():
        for batch in of:
            if name in (batch.batch_id, batch.name):
                return table, batch
    known = [batch.shown_id for of in found.values() for batch in of]
    there = f"there are {', '.join(known)}" if known else "none is open"
    raise typer.BadParameter(f"no open batch {name}; {there}")
