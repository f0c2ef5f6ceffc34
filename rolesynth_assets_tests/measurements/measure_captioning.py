"""Where the time of captioning and judging goes, and how it grows with the number of captions.

`python -m rolesynth_assets_tests.measurements.measure_captioning --captions 1000 10000` writes the
captions of a shard of small pictures, and a judge's scores of them, with a server that answers at
once in a process of its own. It prints the milliseconds of processor time a row, the most memory,
and the exponent of growth from each size to the next: 1.0 is linear. `--profile` prints for the
largest size which part of the work takes which share of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import math
import pstats
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.scoring import write_scores
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.measurements.asking_server import MODEL, serving
from rolesynth_assets_tests.measurements.captioned_shard import (
    CAPTIONS_AN_IMAGE,
    ROLES,
    shard_of_pictures,
)

IN_FLIGHT = 64
PARTS = {
    "sending and receiving": ("transport/connection.py", "_ask"),
    "reading answers": ("openai/call.py", "_read"),
    "messages": ("mllm/messages.py", "build"),
    "screening replies into rows": ("captions/captioning_run.py", "row"),
    "reading scores into rows": ("pairs/scoring.py", "row"),
    "journal": ("rows/reply_journal.py", "_transaction"),
    "tables": ("lance/store.py", "append"),
    "folding tables": ("lance/store.py", "fold"),
    "planning": ("captions/captioning.py", "_plan"),
    "questions for the judge": ("pairs/scoring.py", "_questions"),
    "pictures": ("lance/image_rows.py", "read"),
    "report": ("captions/report.py", "count_by_role_and_length"),
}
"""Parts of the work: file and function in which each begins."""


def captions(store: Store, url: str) -> int:
    """Write the captions of the shard and return their number."""

    async def run() -> int:
        engine = make_engine(_settings(url))
        report = await write_captions(store, engine, "s", "roles", ROLES, run_id="r")
        await engine.aclose()
        return report.captions

    return asyncio.run(run())


def scores(store: Store, url: str) -> int:
    """Write the scores of the captions and return their number."""

    async def run() -> int:
        engine = make_engine(_settings(url))
        report = await write_scores(store, engine, "s", "roles", ROLES, run_id="r")
        await engine.aclose()
        return report.calls

    return asyncio.run(run())


def _settings(url: str) -> EngineSettings:
    return EngineSettings(
        engine="openai", model=MODEL, base_url=url, concurrency=IN_FLIGHT, revision="r"
    )


def measured(
    work: Callable[[Store, str], int],
    store: Store,
    url: str,
    count: int,
    profile: cProfile.Profile | None = None,
) -> float:
    """Do a work of `count` rows and return its seconds of processor time."""
    began = time.process_time()
    with profile or nullcontext():
        done = work(store, url)
    assert done == count, f"{done} of {count} rows"
    return time.process_time() - began


def shares(profile: cProfile.Profile) -> list[tuple[str, float]]:
    """Return the share of each part of the work in the time of all of it."""
    stats = pstats.Stats(profile)
    total = stats.total_tt  # type: ignore[attr-defined]
    known = stats.stats  # type: ignore[attr-defined]
    found = []
    for part, (file, function) in PARTS.items():
        spent = [
            row[3]
            for (path, _, name), row in known.items()
            if name == function and path.endswith(file)
        ]
        if spent:
            found.append((part, sum(spent) / total))
    return sorted(found, key=lambda one: -one[1])


def main() -> None:
    """Measure all sizes and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    before: dict[str, tuple[int, float]] = {}
    with serving() as url:
        for count in (100, *arguments.captions):  # the first one loads libraries
            with tempfile.TemporaryDirectory() as folder:
                store = shard_of_pictures(Path(folder), count // CAPTIONS_AN_IMAGE)
                for work in (captions, scores):
                    last = arguments.profile and count == arguments.captions[-1]
                    profile = cProfile.Profile() if last else None
                    spent = measured(work, store, url, count, profile)
                    if count > 100:
                        _print(work.__name__, count, spent, before)
                    if profile:
                        for part, share in shares(profile):
                            print(f"    {part}: {share:.0%}")


def _print(name: str, count: int, spent: float, before: dict[str, tuple[int, float]]) -> None:
    said = f"{count:7,} {name}: {spent / count * 1000:.2f} ms of processor a row"
    said += f", {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most"
    if name in before:
        fewer, less = before[name]
        said += f", exponent {math.log(spent / less) / math.log(count / fewer):.2f}"
    before[name] = count, spent
    print(said, flush=True)


if __name__ == "__main__":
    main()
