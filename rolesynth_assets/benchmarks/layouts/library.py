"""The layouts of this folder, and the one that a task's files have.

A layout is one module with a value ``LAYOUT``; nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from rolesynth_assets.benchmarks import layouts as folder
from rolesynth_assets.benchmarks.layouts.clip_benchmark import LAYOUT as CLIP_BENCHMARK
from rolesynth_assets.benchmarks.layouts.files import BenchmarkFiles, Layout, Place
from rolesynth_assets.benchmarks.tasks import Task
from rolesynth_assets.files.object_path import DataPath


@lru_cache(maxsize=1)
def layouts() -> dict[str, Layout]:
    """Return all layouts by name."""
    modules = (
        importlib.import_module(f"{folder.__name__}.{module.name}")
        for module in pkgutil.iter_modules(folder.__path__)
    )
    found = [module.LAYOUT for module in modules if hasattr(module, "LAYOUT")]
    return {layout.name: layout for layout in sorted(found, key=lambda layout: layout.name)}


def layout_of(task: Task, data_root: DataPath | str | None = None) -> tuple[Layout, Place]:
    """Return the layout that a task names, or else the one that its files look like.

    Raises:
        BenchmarkError: the files do not exist, have several layouts, or the named layout is unknown
            or does not fit.
    """
    place = place_of(task, data_root)
    known = layouts()
    if not place.root.exists():
        raise place.fault(
            f"{place.root} does not exist; set `path` in the task's YAML file to the dataset's "
            "folder"
        )
    if task.layout is not None:
        if task.layout not in known:
            raise place.fault(f"no layout {task.layout!r}; there are {', '.join(known)}")
        layout = known[task.layout]
        if layout is not CLIP_BENCHMARK and not layout.fits(place):
            raise place.fault(f"{place.root} is not laid out as {layout.name}: {_about(layout)}")
        return layout, place
    fitting = [
        layout
        for layout in known.values()
        if layout.kind in (None, task.kind) and layout.fits(place)
    ]
    if len(fitting) > 1:
        names = ", ".join(layout.name for layout in fitting)
        raise place.fault(f"{place.root} has the files of {names}; set `layout` to one of them")
    return (fitting[0] if fitting else CLIP_BENCHMARK), place


def files_of(task: Task, data_root: DataPath | str | None = None) -> BenchmarkFiles:
    """Read the files of a task, in the layout that they have.

    Raises:
        BenchmarkError: they cannot be read, or are not as many images as the task expects.
    """
    layout, place = layout_of(task, data_root)
    if layout.kind not in (None, task.kind):
        raise place.fault(f"is of kind {task.kind}, but layout {layout.name} is of {layout.kind}")
    files = layout.read(place)
    found = len(files.samples)
    if task.expected_images is not None and found != task.expected_images:
        raise place.fault(
            f"{place.root} has {found} images, but the task expects {task.expected_images}; this "
            "is another split, or part of it"
        )
    return files


def captions_of(task: Task, layout: Layout) -> int | None:
    """Return how many captions of an image count: what the task says, else the usual number."""
    said = "captions_per_image" in task.model_fields_set
    return task.captions_per_image if said else layout.usual_captions


def place_of(task: Task, data_root: DataPath | str | None = None) -> Place:
    """Return where a task's files are; its path may name a file of captions in their folder."""
    root = task.resolve(data_root)
    captions = None
    if root.suffix in (".json", ".csv", ".token", ".txt") and root.is_file():
        root, captions = root.parent, root
    elif task.annotations is not None:
        captions = root / task.annotations
    return Place(task, root, captions, task.split if "split" in task.model_fields_set else None)


def _about(layout: Layout) -> str:
    module = importlib.import_module(layout.read.__module__)
    return (module.__doc__ or "").strip().splitlines()[0]
