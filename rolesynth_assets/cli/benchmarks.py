"""`rolesynth benchmarks check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rolesynth_assets.benchmarks.tasks import Task
    from rolesynth_assets.files.object_path import DataPath
    from rolesynth_assets.r1.benchmarks.definition import R1Benchmark

benchmarks = typer.Typer(no_args_is_help=True, help="Look at the files of benchmarks.")


@benchmarks.callback()
def _group() -> None:
    """Look at the files of benchmarks."""


@benchmarks.command()
def check(
    name: Annotated[
        list[str] | None, typer.Argument(help="Names of benchmarks; by default all.")
    ] = None,
) -> None:
    """Read benchmarks and print what was found: layout, images, captions or classes, digest.

    A benchmark that cannot be read is printed with its reason, and the others are read all the
    same; the exit status is then 1. A benchmark whose files do not exist is only named.
    """
    from rolesynth_assets.benchmarks.tasks import load_tasks
    from rolesynth_assets.r1.library import load_r1_benchmarks
    from rolesynth_assets.settings import Settings

    settings = Settings.load()
    tasks = load_tasks(settings.benchmarks)
    questions = load_r1_benchmarks(settings.project / "r1_benchmarks")
    known = [*tasks.keys_of_all(), *questions.keys_of_all()]
    if unknown := sorted(set(name or ()) - set(known)):
        raise typer.BadParameter(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    faults = 0
    for wanted in name or known:
        try:
            if wanted in tasks or wanted in tasks.broken:
                task = tasks[wanted]
                found = _images(task, settings.data_root)
            else:
                found = _questions(questions[wanted], settings.data_root)
            typer.echo(f"{wanted}: {found}")
        except (ValueError, OSError) as error:
            faults += 1
            typer.secho(f"{wanted}: {error}", fg="red", err=True)
    if faults:
        raise typer.Exit(1)


def _images(task: Task, root: DataPath) -> str:
    from rolesynth_assets.benchmarks.datasets import found_in

    if not task.at_hand(root):
        return f"no files at {task.resolve(root)}"
    return found_in(task, root)


def _questions(benchmark: R1Benchmark, root: DataPath) -> str:
    from rolesynth_assets.r1.benchmarks.items import available, found_in

    if not available(benchmark, root):
        return f"no files at {benchmark.folder(root)}"
    return found_in(benchmark, root)
