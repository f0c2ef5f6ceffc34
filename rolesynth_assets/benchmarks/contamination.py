"""The images of all benchmarks at hand, by hash, so that none is trained on unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rolesynth_assets.benchmarks.tasks import Task


def benchmark_images(tasks: Mapping[str, Task], data_root: Path) -> dict[str, set[str]]:
    """Return image ids by task, of the tasks whose files are there.

    Args:
        tasks: tasks by name.
        data_root: what ``{data}`` in their paths stands for.
    """
    from rolesynth_assets.benchmarks.datasets import image_hashes

    return {
        name: image_hashes(task, data_root)
        for name, task in tasks.items()
        if task.resolve(data_root).exists()
    }
