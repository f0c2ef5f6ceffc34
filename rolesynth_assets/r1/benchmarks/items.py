"""Reading of the items of a benchmark of any layout."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.seeds.decontamination import HeldOutItem
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.r1.benchmarks import layouts
from rolesynth_assets.r1.benchmarks.definition import (
    EASY_VQA,
    EMBEDDED,
    BenchmarkItem,
    R1Benchmark,
    R1BenchmarkError,
)
from rolesynth_assets.store.digests import digest, image_id

T = TypeVar("T")
_log = logging.getLogger(__name__)


def benchmark_items(benchmark: R1Benchmark, data_root: DataPath) -> list[BenchmarkItem]:
    """Read a whole benchmark, or the fixed sample that its `count` and `seed` define.

    Args:
        benchmark: its definition.
        data_root: folder that replaces ``{data}`` in its path.

    Raises:
        R1BenchmarkError: the files are missing, cannot be read, have no item with an image, or two
            of one id.
    """
    if benchmark.layout == EMBEDDED:
        assert benchmark.domain is not None and benchmark.count is not None  # of this layout
        return list(_embedded(benchmark.domain, benchmark.count, benchmark.seed))
    if benchmark.layout == EASY_VQA:
        return _easy_vqa(benchmark)
    layout = import_module(f"{layouts.__name__}.{benchmark.layout}")
    try:
        items = list(
            layout.read(benchmark.folder(data_root), benchmark.split or layout.USUAL_SPLIT)
        )
    except (KeyError, TypeError) as error:
        raise R1BenchmarkError(
            f"Benchmark {benchmark.name}: a row of {benchmark.folder(data_root)} lacks what the "
            f"layout {benchmark.layout} has ({error!r}); is this another benchmark or version?"
        ) from error
    items = [item for item in items if item.images]
    if not items:
        raise R1BenchmarkError(f"Benchmark {benchmark.name}: no question with an image.")
    if twice := [item_id for item_id, n in Counter(i.item_id for i in items).items() if n > 1]:
        raise R1BenchmarkError(
            f"Benchmark {benchmark.name}: {len(twice)} ids occur twice, such as {twice[0]!r}: "
            f"{benchmark.folder(data_root)} has several sets or copies; set `path` to one of them."
        )
    return _sample(items, benchmark)


def found_in(benchmark: R1Benchmark, data_root: DataPath) -> str:
    """Say in one line what a benchmark's files are: layout, questions, images, digest.

    Raises:
        R1BenchmarkError: the files cannot be read.
    """
    items = benchmark_items(benchmark, data_root)
    images = {image_id(image) for item in items for image in item.images}
    choices = sum(item.task_type is TaskType.MCQ for item in items)
    content = digest(*(f"{i.item_id}|{i.question}|{i.answer}" for i in items), *sorted(images))
    return (
        f"questions, layout {benchmark.layout}, {len(items):,} questions ({choices:,} multiple "
        f"choice), {len(images):,} images, digest {content[:16]}"
    )


def available(benchmark: R1Benchmark, data_root: DataPath) -> bool:
    """Return whether a benchmark can be read: it needs no files, or its folder exists."""
    return not benchmark.has_files or benchmark.folder(data_root).is_dir()


def items_at_hand(
    benchmarks: Mapping[str, R1Benchmark], data_root: DataPath
) -> dict[str, list[BenchmarkItem]]:
    """Read all benchmarks whose files are there, by name.

    A benchmark that cannot be read is logged with its reason; only its own scores fail.

    Args:
        benchmarks: by name.
        data_root: what replaces ``{data}`` in their paths.
    """
    found = {}
    for name, benchmark in benchmarks.items():
        try:
            if available(benchmark, data_root):
                found[name] = benchmark_items(benchmark, data_root)
        except (R1BenchmarkError, OSError) as error:
            _log.warning("Skipped: benchmark %s: %s", name, error)
    return found


@lru_cache(maxsize=8)  # drawn for the seeds of every domain, and for every training and score
def _embedded(domain: str, count: int, seed: int) -> tuple[BenchmarkItem, ...]:
    from rolesynth_assets.embedded.problems.pose import held_out

    return tuple(
        BenchmarkItem(
            item_id=f"{domain}-{seed}-{number}",
            images=(problem.image,),
            question=problem.question,
            answer=problem.answer,
            task_type=TaskType(problem.task_type),
        )
        for number, problem in enumerate(held_out(domain, count, seed))
    )


def _easy_vqa(benchmark: R1Benchmark) -> list[BenchmarkItem]:
    import easy_vqa

    if benchmark.split not in (None, "test"):
        raise R1BenchmarkError(
            f"Benchmark {benchmark.name}: easy-VQA's split is test; seeds come from train."
        )
    questions, answers, image_ids = easy_vqa.get_test_questions()
    rows = list(zip(questions, answers, image_ids, strict=True))
    numbers = _sample(list(range(len(rows))), benchmark)
    paths = easy_vqa.get_test_image_paths()
    items = []
    for number in numbers:
        question, answer, image_id = rows[number]
        image = Path(paths[image_id]).read_bytes()
        items.append(BenchmarkItem(str(number), (image,), question, answer, TaskType.OPEN_ENDED))
    return items


def _sample(items: list[T], benchmark: R1Benchmark) -> list[T]:
    """Return `count` items drawn with the benchmark's seed, in their order; all if it is None."""
    if benchmark.count is None or benchmark.count >= len(items):
        return items
    drawn = random.Random(f"r1 benchmark {benchmark.seed}").sample(
        range(len(items)), benchmark.count
    )
    return [items[number] for number in sorted(drawn)]


def items_of_tests(
    benchmarks: Mapping[str, R1Benchmark], data_root: DataPath
) -> Iterator[HeldOutItem]:
    """Yield the items of the benchmarks of `items_at_hand`, named ``benchmark/item``."""
    for name, items in items_at_hand(benchmarks, data_root).items():
        for item in items:
            yield HeldOutItem(f"{name}/{item.item_id}", item.question, item.images)
