"""The command line: `rolesynth --help`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rolesynth_assets.cli.exit_messages import CommandGroup
from rolesynth_assets.cli.problems import problems
from rolesynth_assets.cli.progress_bars import bars
from rolesynth_assets.cli.refresh import CaptionWork, first_rounds, refresh, require_seeds
from rolesynth_assets.cli.stale import stale
from rolesynth_assets.cli.trace import trace
from rolesynth_assets.cli.withdraw import withdraw

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.targets import ProblemWork
    from rolesynth_assets.settings import Settings

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
EMBEDDED_ROLE_SETS = ("roles5", "generic1")
EMBEDDED_DOMAINS = ("counting", "bar_charts")
"""Domains of the demo: one in which each of the specialised judges is at home."""
EMBEDDED_ROUNDS = 2
HOST = "127.0.0.1"


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Training seed of both recipes.")] = 0,
) -> None:
    """Run everything on a composed world of pictures, offline: captions, problems, models, scores.

    Captions and judgements come from tiny models in this package, stand-ins for Qwen2.5-VL-7B and
    its like, and problems from a script. A second run finds everything up to date.
    """
    from rolesynth_assets.clip.library import load_recipes

    began = time.perf_counter()
    recipes = load_recipes(None)
    for name in EMBEDDED_ROLE_SETS:
        require_seeds(name, recipes[name].seeds, [seed])
    _write_embedded_world(_embedded_settings())
    refresh(
        began,
        CaptionWork(EMBEDDED_ROLE_SETS, {"roles5": [seed], "generic1": [seed]}, ("generated",)),
        partial(_embedded_problems, {"base": [0], "synthetic": [seed]}),
    )


@app.command()
def ablation() -> None:
    """Train and score every embedded recipe, CLIP and R1, with all its seeds; write reports."""
    from rolesynth_assets.clip.library import load_recipes
    from rolesynth_assets.r1.library import load_r1_recipes

    began = time.perf_counter()
    settings = _embedded_settings()
    _write_embedded_world(settings)
    recipes = [r for r in load_recipes(None).values() if r.model == "rolesynth-nano"]
    role_sets = sorted({recipe.role_set for recipe in recipes})
    r1_recipes = {r.name: r.seeds for r in load_r1_recipes(None).values() if r.stand_in}
    refresh(
        began,
        CaptionWork(role_sets, {recipe.name: recipe.seeds for recipe in recipes}),
        partial(_embedded_problems, r1_recipes),
    )
    for page in ("ablation", "r1"):
        print(f"Report: {settings.data_root / 'reports' / f'{page}.md'}")


@app.command()
def ingest(
    path: Annotated[
        str,
        typer.Argument(
            help="Folder of images, webdataset tar(s) or parquet; or s3://bucket/prefix, gs://..."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the shards; by default the path's.")] = "",
    column: Annotated[str, typer.Option(help="Parquet column that holds the images.")] = "",
) -> None:
    """Register images as shards and read them in; unusable files are listed with their reason.

    Running it again registers only what is new. A bucket is asked with the usual AWS_* or GOOGLE_*
    variables, AWS_ENDPOINT_URL included; AWS_SKIP_SIGNATURE=true for a public one.
    """
    from rolesynth_assets.images.places.buckets import BucketError
    from rolesynth_assets.images.places.place import place_name
    from rolesynth_assets.images.shards.registry import register_path
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    try:
        new = register_path(
            settings.data_root,
            path,
            name or place_name(path),
            shard_size=settings.shard_size,
            column=column or None,
            container=settings.limits.container,
        )
    except (OSError, ValueError, BucketError) as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"{len(new)} new shards: {', '.join(shard.key for shard in new) or 'nothing new'}")
    refresh(time.perf_counter(), CaptionWork())


@app.command()
def run(
    role_set: Annotated[
        list[str],
        typer.Option(
            help="Role set to caption with, such as roles5 or one in role_sets/; repeatable."
        ),
    ],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Recipe to train and score, such as roles5_vit_b16 or one in recipes/; its role "
            "set has to be among those above; repeatable."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Training seed of the recipe's; by default its first; repeatable."),
    ] = None,
) -> None:
    """Bring captions, scores and pairs of all shards up to date, then train and score recipes.

    Which model writes is set by ROLESYNTH_ENGINE (embedded, openai, vllm), ROLESYNTH_BASE_URL,
    ROLESYNTH_MODEL and ROLESYNTH_API_KEY.
    """
    from rolesynth_assets.clip.library import load_recipes
    from rolesynth_assets.settings import Settings

    known = load_recipes(Settings.load().recipes)
    missing = sorted(set(recipe or ()) - set(known))
    if missing:
        raise typer.BadParameter(f"no recipe {', '.join(missing)}; there are {', '.join(known)}")
    seeds = {name: seed or [known[name].seeds[0]] for name in recipe or ()}
    for name, asked in seeds.items():
        wanted = known[name]
        if wanted.role_set not in role_set:
            raise typer.BadParameter(
                f"recipe {name} trains on role set {wanted.role_set}: add --role-set "
                f"{wanted.role_set}"
            )
        require_seeds(name, wanted.seeds, asked)
    refresh(time.perf_counter(), CaptionWork(role_set, seeds))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Address of a proxy that shows the pages, https://...; repeatable."),
    ] = None,
) -> None:
    """Open the Dagster UI on 127.0.0.1 with what was made here: lineage, partitions, pictures.

    It runs until Ctrl-C, with the daemon that plays schedules and sensors. Nobody but this machine
    can reach it, and no page of another site can ask it for anything.
    """
    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.ui.services import serve

    _require_free(port)
    prepare_home()
    typer.echo(f"Dagster UI on http://{HOST}:{port} (Ctrl-C ends it)")
    if ended := serve(port, [address.lower().rstrip("/") for address in origin or ()]):
        typer.secho(f"the {ended} ended by itself; what it printed is above", fg="red", err=True)
        raise typer.Exit(1)


app.command()(problems)
app.command()(stale)
app.command()(trace)
app.command()(withdraw)


def _require_free(port: int) -> None:
    """End the command where nobody could listen on the port; the webserver starts much later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed a moment ago is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            typer.secho(
                f"port {port} cannot be used: {error.strerror}. Perhaps a UI is open already at "
                f"http://{HOST}:{port}; `rolesynth ui --port NUMBER` takes another port",
                fg="red",
                err=True,
            )
            raise typer.Exit(1) from error


def _embedded_settings() -> Settings:
    from rolesynth_assets.settings import Settings

    for variable in [v for v in os.environ if v.startswith("ROLESYNTH_") and v not in _KEPT]:
        del os.environ[variable]  # the demo is offline, whatever is set for other work
    return Settings.load()


def _write_embedded_world(settings: Settings) -> None:
    """Write and register the images, and write the seeds before any definition asks for them."""
    from rolesynth_assets.embedded.problems.write_seeds import write_seeds
    from rolesynth_assets.embedded.world.write import write_world
    from rolesynth_assets.images.shards.registry import register_path

    with bars() as reporting:
        reporting("composed world")(0, 1)
        shards = write_world(settings.data_root)
        write_seeds(settings.embedded_seeds)
        reporting("composed world")(1, 1)
    register_path(settings.data_root, shards, "scenes")


def _embedded_problems(recipes: Mapping[str, Sequence[int]]) -> ProblemWork:
    from rolesynth_assets.lineage.refresh.targets import ProblemWork

    rounds = first_rounds(EMBEDDED_ROUNDS)
    return ProblemWork(EMBEDDED_DOMAINS, rounds, recipes, EMBEDDED_DOMAINS)


_KEPT = {"ROLESYNTH_DATA", "ROLESYNTH_PROJECT"}


if __name__ == "__main__":
    app()
