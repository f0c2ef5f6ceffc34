"""The demo's project folder, apart from the user's own: its pictures never mix with theirs."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from rolesynth_assets.files.object_path import DataPath

FOLDER = "rolesynth-demo"
"""Name of the demo's project folder, in the current one or the one that ROLESYNTH_PROJECT names."""


def demo_folder(name: str = FOLDER) -> Path:
    """Return the demo's project folder; inside of it, that is the current folder.

    Args:
        name: name of the folder, for an ablation on another number of images.
    """
    here = Path(os.environ.get("ROLESYNTH_PROJECT") or ".").resolve()
    return here if here.name == name else here / name


def enter_demo(name: str = FOLDER) -> Path:
    """Let everything in this process, and what it starts, work in the demo's project folder.

    Settings of the user's own models, data root and Dagster home are left out, so that the demo
    asks no paid model and writes nothing beside the user's data.

    Args:
        name: name of the folder.

    Returns:
        The folder, which exists.
    """
    folder = demo_folder(name)
    for variable in [name for name in os.environ if name.startswith("ROLESYNTH_")]:
        del os.environ[variable]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["ROLESYNTH_PROJECT"] = str(folder)
    os.environ["DAGSTER_HOME"] = str(folder / ".dagster")
    return folder


def tell_earlier_demo(project: Path, data_root: DataPath) -> None:
    """Say what happens with a demo that was made in the user's own project.

    Args:
        project: the user's project folder.
        data_root: its data root.
    """
    from rolesynth_assets.data_paths import DataPaths

    world = DataPaths(data_root).embedded_world
    if not world.is_dir():
        return
    typer.secho(
        f"An earlier demo is in {data_root}. It stays as it is, and this one begins anew in "
        f"{project / FOLDER}. If {data_root} holds nothing of yours, delete it together with its "
        "Dagster home (.dagster); otherwise `rolesynth forget SHARD` takes the demo's shards, such "
        "as scenes-0000, out of your project.",
        fg="yellow",
        err=True,
    )


def project_command(command: str, project: Path) -> str:
    """Return a command for a project, such as `rolesynth ui`, which may be the demo's."""
    return f"rolesynth {command}{' --demo' if project.name == FOLDER else ''}"
