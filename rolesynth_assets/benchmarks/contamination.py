"""The images of all benchmarks, with which training on a benchmark is detected."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from rolesynth_assets.benchmarks.layouts.files import Sample
from rolesynth_assets.benchmarks.layouts.library import files_of
from rolesynth_assets.benchmarks.tasks import Task
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import write_bytes
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.near_copies import Look, Looks, look_of, together
from rolesynth_assets.parallel.lookahead import in_order
from rolesynth_assets.progress import Progress
from rolesynth_assets.store.digests import digest

THREADS = 4
AT_ONCE = 256
"""Images of a training set in memory at once."""
_log = logging.getLogger(__name__)


def benchmark_images(tasks: Mapping[str, Task], data_root: DataPath) -> dict[str, set[str]]:
    """Return image ids by task, for the tasks whose files exist.

    A benchmark that cannot be read is logged with its reason and left out; its scores fail.

    Args:
        tasks: tasks by name.
        data_root: value of ``{data}`` in their paths.
    """
    from rolesynth_assets.benchmarks.datasets import image_hashes

    found = {}
    for name, task in tasks.items():
        if task.at_hand(data_root):
            try:
                found[name] = image_hashes(task, data_root)
            except (ValueError, OSError) as error:
                _log.warning("Skipped: benchmark %s: %s", name, error)
    return found


def benchmark_looks(tasks: Mapping[str, Task], data_root: DataPath) -> dict[str, Looks]:
    """Return the perceptual features of the images of benchmarks, for those with files of a user.

    The features are kept below the data root, so that unchanged files are decoded once. The
    embedded benchmarks are drawn apart from the training images and are left out; so is, with a
    log message, what cannot be read.

    Args:
        tasks: tasks by name.
        data_root: value of ``{data}`` in their paths.
    """
    found = {}
    for name, task in tasks.items():
        if not task.embedded and task.at_hand(data_root):
            try:
                found[name] = _kept_looks(task, data_root)
            except (ValueError, OSError) as error:
                _log.warning("Skipped: benchmark %s: %s", name, error)
    return found


def copies_in(
    image_ids: Sequence[str],
    read: Callable[[Sequence[str]], Mapping[str, bytes]],
    benchmarks: Mapping[str, Looks],
    progress: Progress | None = None,
) -> dict[str, str]:
    """Return the images that show the picture of a benchmark, by id, with the benchmark's name.

    Args:
        image_ids: images to compare; every one is decoded.
        read: returns encoded images by id.
        benchmarks: features of the benchmarks' images; without any, nothing is read.
        progress: called with (done, total) images.
    """
    found: dict[str, str] = {}
    done = 0
    for start in range(0, len(image_ids) if benchmarks else 0, AT_ONCE):
        ids = image_ids[start : start + AT_ONCE]
        images = read(ids)
        for image, look in zip(ids, _looks(images[image] for image in ids), strict=True):
            for name, looks in benchmarks.items():
                if look is not None and looks.nearest(look):
                    found.setdefault(image, name)
        done += len(ids)
        if progress:
            progress(done, len(image_ids))
    return found


def _looks(images: Iterable[bytes]) -> Iterable[Look | None]:
    return in_order(look_of, images, at_once=2 * THREADS, threads=THREADS)


def _kept_looks(task: Task, data_root: DataPath) -> Looks:
    import numpy as np

    samples = files_of(task, data_root).samples
    now = digest("looks", *(_state(sample) for sample in samples))
    path = DataPaths(data_root).benchmark_looks(task.name)
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["of"]) == now:
                return Looks(kept["phashes"], kept["cells"])
    looks = together([look for look in _looks(s.image.read() for s in samples) if look])
    content = io.BytesIO()
    np.savez_compressed(content, of=np.array(now), phashes=looks.phashes, cells=looks.cells)
    write_bytes(path, content.getbuffer())
    return looks


def _state(sample: Sample) -> str:
    """Return what changes when the bytes of an image do, without reading them."""
    state = sample.image.path.stat()
    return f"{sample.image.path}|{sample.image.offset}|{state.st_size}|{state.st_mtime_ns}"
