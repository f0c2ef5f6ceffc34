"""The hashes of all benchmark images, with which training on a benchmark is detected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rolesynth_assets.benchmarks.tasks import Task


def benchmark_images(tasks: Mapping[str, Task], data_root: Path) -> dict[str, set[str]]:
    """Return image ids by task, for the tasks whose files exist.

    Args:
        tasks: tasks by name.
        data_root: value of ``{data}`` in their paths.
    """
    from rolesynth_assets.benchmarks.datasets import image_hashes

    return {
        name: image_hashes(task, data_root)
        for name, task in tasks.items()
        if task.resolve(data_root).exists()
    }
