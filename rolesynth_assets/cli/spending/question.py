"""What is about to be paid: printed, and begun after a yes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from rolesynth_assets.cli.spending.expected import Expected, Plan, total
from rolesynth_assets.mllm.cost.spent import Spent

SHOWN_SHARDS = 10
Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Agree to the calls that cost money, for scripts."),
]
"""The option of every command that asks before it pays."""


def ask_before_paying(plan: Plan, yes: bool) -> None:
    """Print what models will be asked, and wait for a yes on a terminal if it may cost money.

    Args:
        plan: what is expected; without a call, nothing is printed or asked.
        yes: whether the answer was given with the command.

    Raises:
        typer.Exit: with 1 if the answer is no, with 2 if there is no terminal to ask on.
    """
    if plan.submitted:
        typer.echo(f"{plan.submitted:,} requests are in open batches: they are collected.")
    if not plan.asked:
        return
    for line in plan_lines(plan):
        typer.echo(line)
    if yes or not plan.paid:
        return
    if not sys.stdin.isatty():
        typer.secho(
            "Nothing was asked of a model: there is no terminal on which you could agree. Run the "
            "same command with --yes, or with less work (--shard), or with "
            "ROLESYNTH_ENGINE=embedded, which costs nothing.",
            fg="red",
            err=True,
        )
        raise typer.Exit(2)
    if not typer.confirm("Go on?", default=False):
        typer.echo("Nothing was asked of a model.")
        raise typer.Exit(1)


def plan_lines(plan: Plan) -> list[str]:
    """Return a plan in words, a line for each kind of call."""
    lines = ["This asks models that may cost money, at most:"]
    if not plan.paid:
        lines = ["This asks models in this process, which takes time on its devices, at most:"]
    lines += [f"  {_kind(kind)}" for kind in plan.asked]
    if len(plan.asked) > 1:
        lines.append(f"  in all: {_amount(plan.spent)}{_cost(plan)}")
    if len(plan.by_shard) > 1:
        some = ", ".join(f"{shard} {calls:,}" for shard, calls in plan.by_shard[:SHOWN_SHARDS])
        more = len(plan.by_shard) - SHOWN_SHARDS
        lines.append(f"  by shard: {some}{f' and {more} more' if more > 0 else ''}")
    if plan.demo:
        lines.append(
            f"  {', '.join(plan.demo)}: the demo's composed pictures. `rolesynth forget` takes "
            "them out of this project, and --shard names the shards that you want."
        )
    if any(kind.in_batches for kind in plan.asked):
        lines.append(
            "  Batches are answered within 24 hours. The cost is by `prices` as they are in "
            "rolesynth.yaml: set those of batches there."
        )
    if not plan.priced:
        lines.append("  The cost is not known: set `prices` in rolesynth.yaml.")
    return lines


def compare(plan: Plan, spent_on: Mapping[str, Spent]) -> str:
    """Return what models were asked beside what was expected; empty if nothing was.

    Args:
        plan: what was expected; embedded models are no part of it.
        spent_on: what models were asked, by asset.
    """
    spent = total(spent for asset, spent in spent_on.items() if asset in plan.assets)
    if not plan.asked and not spent.calls:
        return ""
    expected, calls = plan.spent, plan.spent.calls + plan.submitted
    said = (
        f"Models were asked: {spent.calls:,} calls (at most {calls:,} expected), "
        f"{spent.prompt_tokens:,} tokens read (about {expected.prompt_tokens:,}), "
        f"{spent.completion_tokens:,} written (about {expected.completion_tokens:,})"
    )
    if spent.cost or expected.cost:
        said += f", cost {spent.cost:.2f} (about {expected.cost:.2f})"
    return f"{said}."


def _kind(kind: Expected) -> str:
    about = f" about {kind.images:,} images" if kind.images else ""
    cost = f", cost about {kind.spent.cost:.2f}" if kind.prices.known else ""
    tried = f", after {kind.tried} calls that try it" if kind.tried else ""
    where = " in this process" if kind.in_process else " in batches" if kind.in_batches else ""
    return (
        f"{kind.calls:,} {kind.what}{about} by {kind.model}{where}: about "
        f"{kind.spent.prompt_tokens:,} tokens read and {kind.spent.completion_tokens:,} written "
        f"({kind.tokens.basis}){cost}{tried}"
    )


def _amount(spent: Spent) -> str:
    return (
        f"{spent.calls:,} calls, about {spent.prompt_tokens:,} tokens read and "
        f"{spent.completion_tokens:,} written"
    )


def _cost(plan: Plan) -> str:
    cost = plan.spent.cost
    known = "" if plan.priced else " for those with a price"
    return f", cost about {cost:.2f}{known}" if cost else ""
