"""The items of the benchmarks at hand, as seeds are compared with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rolesynth_assets.cads.seeds.decontamination import BenchmarkItem
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
from rolesynth_assets.r1.benchmarks.items import available, benchmark_items


def items_of_tests(
    benchmarks: Mapping[str, R1Benchmark], data_root: Path
) -> Iterator[BenchmarkItem]:
    """Yield the items of all benchmarks whose files are there, named ``benchmark/item``.

    Args:
        benchmarks: by name.
        data_root: what ``{data}`` in their paths stands for.

    Raises:
        R1BenchmarkError: a benchmark's files are not as its publisher lays them out.
    """
    for name, benchmark in benchmarks.items():
        if available(benchmark, data_root):
            for item in benchmark_items(benchmark, data_root):
                yield BenchmarkItem(f"{name}/{item.item_id}", item.question, item.images)
