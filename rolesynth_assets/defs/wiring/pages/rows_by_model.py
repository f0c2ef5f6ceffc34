"""Rows of one shard and role set that a model writes: its captions, or a judge's scores."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import dagster as dg
from pydantic import Field

from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.mllm.cost.metered import Meter
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.progress import reporting

R = TypeVar("R")


class AskAgain(dg.Config):
    """What a run asks again although it has been answered."""

    again: list[str] = Field(
        default=[],
        description="Reasons of rows that are asked again, such as truncated, refused, not_text. "
        "Each such row is one paid call. Rows with another reason are left alone.",
    )


def rows_by_model(
    context: dg.AssetExecutionContext,
    platform: Platform,
    engine: EngineSettings,
    prices: Prices,
    write: Callable[..., Awaitable[R]],
    table: str,
    author: str,
) -> tuple[R, ModelIdentity]:
    """Bring a run's partition of a table up to date with a model.

    Args:
        context: of a run over a shard and a role set.
        platform: where the rows and the roles are.
        engine: the model.
        prices: of the model.
        write: `write_captions`, `write_scores`.
        table: Lance table that it writes.
        author: the table's column that names the model of a row.

    Returns:
        The report of `write`, and the model that answered.

    Raises:
        EngineError: rows are a real model's, and no engine was chosen (`keep_paid_rows`), or the
            model does not look at pictures (`Preflight`).
        Failure: the model failed after calls; its metadata says what they took.
        StoreError: another process makes this partition and does not finish; the message names it.
        ValueError: the role set has no roles.
    """
    from rolesynth_assets.mllm.preflight.check import Preflight
    from rolesynth_assets.mllm.stand_in import keep_paid_rows
    from rolesynth_assets.roles.rows import roles_from_rows

    store, where = platform.store, partitions.lance_partition(context)
    shard, role_set = where["shard"], where["role_set"]
    roles = roles_from_rows(store.read("roles", {"role_set": role_set}))
    authors = store.read(table, where, [author])[author].to_pylist()
    keep_paid_rows(authors, engine, f"{table} of {shard}, {role_set}")
    meter = Meter(prices)
    progress = reporting(f"{table} {shard} {role_set}", lambda: meter.spent.in_words)
    with store.making(table, where):
        return platform.ask(
            engine,
            prices,
            lambda model: write(
                *(store, model, shard, role_set, roles),
                run_id=context.run_id,
                progress=progress,
                before_paying=Preflight(store.root, engine, context.run_id),
            ),
            meter,
        )
