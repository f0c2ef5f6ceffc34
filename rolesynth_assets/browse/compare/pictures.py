"""Small pictures of a benchmark's images, read from the benchmark's own files."""

from __future__ import annotations

import io
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from rolesynth_assets.benchmarks.layouts.library import files_of
from rolesynth_assets.benchmarks.tasks import BenchmarkError, load_tasks
from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import limits_of_any_side
from rolesynth_assets.pictures.thumbnails import fitted

if TYPE_CHECKING:
    from rolesynth_assets.benchmarks.layouts.files import Sample
    from rolesynth_assets.settings import Settings

SIDE = 256
"""Longest side, pixels."""
KEPT = 4_000
"""Small pictures held in memory, some 10 KB each."""


class BenchmarkPictures:
    """The small pictures of all benchmarks; nothing of them is written to the disk.

    Args:
        settings: name the benchmarks and the data root.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, Lock()
        self._samples: dict[str, list[Sample]] = {}
        self._small: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def get(self, benchmark: str, place: int) -> bytes | None:
        """Return the small picture of an image, as WebP; None if there is none.

        Args:
            benchmark: name of the benchmark.
            place: place of the image in it, from 0.

        Raises:
            BenchmarkError: the files of the benchmark cannot be read.
        """
        with self._lock:  # one image is decoded at a time
            key = benchmark, place
            if key not in self._small:
                made = self._make(benchmark, place)
                if made is None:
                    return None
                self._small[key] = made
                if len(self._small) > KEPT:
                    self._small.popitem(last=False)
            self._small.move_to_end(key)
            return self._small[key]

    def _make(self, benchmark: str, place: int) -> bytes | None:
        samples = self._samples.get(benchmark)
        if samples is None:
            task = load_tasks(self._settings.benchmarks).get(benchmark)
            if task is None:
                raise BenchmarkError(f"There is no benchmark {benchmark!r}.")
            samples = files_of(task, self._settings.data_root).samples
            self._samples[benchmark] = samples
        if not 0 <= place < len(samples):
            return None
        normal = normalise(samples[place].image.read(), limits_of_any_side())
        if isinstance(normal, Reject):
            return None
        made = io.BytesIO()
        fitted(normal.data, SIDE, SIDE).save(made, "WEBP", quality=82)
        return made.getvalue()
