"""The command line: `rolesynth --help`."""

from __future__ import annotations

import gc

import typer

from rolesynth_assets.cli.ablation import ablation
from rolesynth_assets.cli.benchmarks import benchmarks
from rolesynth_assets.cli.data.browse import browse
from rolesynth_assets.cli.data.export import export
from rolesynth_assets.cli.data.migrate import migrate
from rolesynth_assets.cli.data.query import query
from rolesynth_assets.cli.data.sample import sample
from rolesynth_assets.cli.data.search import search
from rolesynth_assets.cli.demo import demo
from rolesynth_assets.cli.doctor import doctor
from rolesynth_assets.cli.exit_messages import CommandGroup
from rolesynth_assets.cli.lineage.metrics import metrics
from rolesynth_assets.cli.lineage.stale import stale
from rolesynth_assets.cli.lineage.trace import trace
from rolesynth_assets.cli.lineage.withdraw import withdraw
from rolesynth_assets.cli.problems import problems
from rolesynth_assets.cli.run import run
from rolesynth_assets.cli.settings import settings
from rolesynth_assets.cli.shards.forget import forget
from rolesynth_assets.cli.shards.ingest import ingest
from rolesynth_assets.cli.shards.rejects import rejects
from rolesynth_assets.cli.ui import ui
from rolesynth_assets.cli.work.batches import batches

# Imports make some million objects that all stay. Looking for garbage among them again and again
# took a fifth of the time of a short command.
gc.set_threshold(200_000, 10, 10)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=CommandGroup,
    help="RoleSynth Assets: role-diverse synthetic captions, filtered, trained on and measured, "
    "as partitioned Dagster assets.\n\n"
    "Try **rolesynth demo** first; it needs no GPU, no key and no network. Then "
    "**rolesynth ingest FOLDER** and **rolesynth run** on your own images, or **rolesynth "
    "problems DOMAIN** on your own seeds.",
)
_COMMANDS = (
    *(demo, ablation, ingest, rejects, forget, run, ui, browse, problems, stale, trace),
    *(withdraw, search, sample, query, settings, doctor, migrate, metrics),
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(batches, name="batches")
app.add_typer(benchmarks, name="benchmarks")
app.add_typer(export, name="export")


if __name__ == "__main__":
    app()
