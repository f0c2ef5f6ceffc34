"""What a weekly refresh costs after some new images, against all of the work (`python -m`).

The platform's own definitions and its own `refresh` job over pictures in a watched folder; only
the models are stand-ins that count their calls. The time that models would take is not slept but
added, a fixed time a call; what the platform itself takes is measured twice, by the wall and as
CPU time of this process, since on a busy machine the wall tells of its neighbours. Imports and the
loading of the sentence encoder come before, in a project of two pictures. Two ways for pictures to
come in:

- new: files are added, so there is a new shard;
- spread: as many files of *every* shard are replaced, and every shard is read in again.

All of the work is reading in, captions, scores, cut, pairs, manifest and card of one role set. The
training is told apart: its set has changed, so it is trained anew whatever the share.

A run has a fixed cost, so the share shrinks as the project grows. The last lines say from which
size on it is below 3 %: an estimate, with the fixed cost of the measured refresh, the measured
cost an image, and as many shards.
"""

import io
import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import dagster as dg
import numpy as np
import pytest
import typer
from PIL import Image

from rolesynth_assets.clip.recipe import Schedule
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.automation.weekly_refresh import refresh
from rolesynth_assets.defs.wiring import partitions, resources
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.images.shards.registry import load_shards
from rolesynth_assets.lineage import watched_images
from rolesynth_assets.lineage.refresh.runner import QUIET, Refresher
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.pairs import diversity
from rolesynth_assets_tests.defs.fake_models import FakeModels
from rolesynth_assets_tests.defs.small_graph import SmallGraph, small_graph

ROLE_SET = "roles5"
TRAINING = {"clip_checkpoints", "training_sets", "ablation_report"}
REAL_EMBEDDINGS = diversity.sentence_embeddings
AIM = 0.03
RATES = (0.1, 0.05, 0.02, 0.01)  # seconds a call that the estimate is made for


def picture(number: int) -> bytes:
    """A PNG of four blurred colours that no other number gives: noise is slow to make small."""
    pixels = np.random.default_rng(number).integers(0, 255, (2, 2, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC).save(stream, "png")
    return stream.getvalue()


def write_pictures(folder: Path, numbers: range) -> None:
    """Write the pictures of these numbers into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number:06d}.png").write_bytes(picture(number))


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Attributes:
        calls: model calls.
        wall: seconds of the platform's own work, without training and models.
        cpu: the same as CPU time of this process, training included.
        model: seconds that the models take for the calls.
        training: wall time of training sets and trainings.
        by_asset: runs and seconds inside them, by asset.
    """

    calls: int
    wall: float
    cpu: float
    model: float
    training: float
    by_asset: dict[str, tuple[int, float]]


class World:
    """A project with images, its state as it was after all of the work, and ways to go on."""

    def __init__(self, graph: SmallGraph, home: Path, images: int, seconds_per_call: float) -> None:
        self.graph, self.home, self.images = graph, home, images
        self.seconds_per_call = seconds_per_call
        self.watched = graph.project / "watched"

    def everything(self, shards: int, train: bool) -> Cost:
        """Read all images in and put them through the role set."""
        settings = f"shard_size: {-(-self.images // shards)}\n"
        (self.graph.project / "rolesynth.yaml").write_text(settings)
        write_pictures(self.watched, range(self.images))
        with self._measured() as costs:
            self._refresh()
            self.graph.refresh([ROLE_SET], [ROLE_SET] if train else [])
        return costs[0]

    def added(self, count: int) -> Cost:
        """New files come, which is a new shard, and a week is over."""
        write_pictures(self.watched, range(self.images, self.images + count))
        with self._measured() as costs:
            self._refresh()
        return costs[0]

    def replaced(self, count: int) -> Cost:
        """Files of every shard are replaced, all shards are read in again, a week is over."""
        shards = load_shards(self.graph.root)
        each, more = divmod(count, len(shards))
        fresh = iter(range(self.images, self.images + count))
        for place, shard in enumerate(shards.values()):
            for member in shard.members[: each + (place < more)]:
                (Path(shard.uri) / member).write_bytes(picture(next(fresh)))
        with self._measured() as costs:
            refresher = Refresher(defs, self.graph.instance)
            for shard in shards:
                refresher.make(Cell("image_shards", shard))
            self._refresh()
        return costs[0]

    def _refresh(self) -> None:
        done = refresh.execute_in_process(
            instance=self.graph.instance,
            resources={"platform": Platform(), "code_location": CodeLocation(lambda: defs)},
            run_config=QUIET,
        )
        assert done.success

    @contextmanager
    def _measured(self) -> Iterator[list[Cost]]:
        costs: list[Cost] = []
        self.graph.models.forget()
        before = {record.dagster_run.run_id for record in self.graph.instance.get_run_records()}
        began, worked = time.perf_counter(), time.process_time()
        yield costs
        wall, cpu = time.perf_counter() - began, time.process_time() - worked
        runs, inside = Counter[str](), defaultdict[str, float](float)
        for record in self.graph.instance.get_run_records():
            made = record.dagster_run.asset_selection
            if made and record.dagster_run.run_id not in before:
                (name,) = {key.to_user_string() for key in made} if len(made) == 1 else {"sources"}
                runs[name] += 1
                inside[name] += (record.end_time or 0) - (record.start_time or 0)
        training = sum(inside[name] for name in TRAINING)
        calls = len(self.graph.models.requests)
        by_asset = {name: (runs[name], inside[name]) for name in runs}
        model = calls * self.seconds_per_call
        costs.append(Cost(calls, wall - training, cpu, model, training, by_asset))


@contextmanager
def opened(home: Path, models: FakeModels) -> Iterator[SmallGraph]:
    """Open the state below a folder, which may be a copy of what another one was left in."""
    project = home / "project"
    project.mkdir(parents=True, exist_ok=True)
    (home / "dagster").mkdir(exist_ok=True)
    with (
        dg.DagsterInstance.local_temp(str(home / "dagster")) as instance,
        pytest.MonkeyPatch.context() as patch,
        small_graph(project, instance, patch, os.environ) as graph,
    ):
        patch.setattr(diversity, "sentence_embeddings", REAL_EMBEDDINGS)
        patch.setattr(resources, "make_engine", models.make)
        patch.setattr(watched_images, "SETTLED_S", 0.0)
        patch.setenv("ROLESYNTH_IMAGES", str(project / "watched"))
        graph.models = models
        schedule = Schedule(steps=50, batch_images=16)
        short = partitions.RECIPES[ROLE_SET].model_copy(update={"schedule": schedule})
        patch.setitem(partitions.RECIPES, ROLE_SET, short)
        yield graph


HEAD = """\
| new images     |   calls | of full |  model s |  wall s | of full |   CPU s | of full | runs | training s |
|----------------|--------:|--------:|---------:|--------:|--------:|--------:|--------:|-----:|-----------:|"""  # noqa: E501


def row(name: str, cost: Cost, full: Cost) -> str:
    """Return a line of the table; wall and CPU shares have the models' time in them."""
    wall = (cost.wall + cost.model) / (full.wall + full.model)
    cpu = (cost.cpu + cost.model) / (full.cpu + full.model)
    runs = sum(runs for runs, _ in cost.by_asset.values())
    return (
        f"| {name:<14} | {cost.calls:>7,} | {cost.calls / full.calls:7.2%} | {cost.model:8.1f} "
        f"| {cost.wall:7.1f} | {wall:7.2%} | {cost.cpu:7.1f} | {cpu:7.2%} "
        f"| {runs:>4} | {cost.training:10.1f} |"
    )


def by_asset(cost: Cost) -> str:
    """Return runs and seconds by asset."""
    parts = [f"{name} {n} x {s / n:.2f} s" for name, (n, s) in cost.by_asset.items()]
    return "    " + ", ".join(reversed(parts))


def sizes(one: Cost, full: Cost, images: int, share: float) -> Iterator[str]:
    """Yield from how many images on the share is below the aim, by model time a call."""
    fixed = max(0.0, (one.wall - share * full.wall) / (1 - share))
    own = (full.wall - fixed) / images
    calls = full.calls / images
    for seconds in RATES:
        least = fixed * (1 - AIM) / ((AIM - share) * (own + calls * seconds))
        yield f"{least:,.0f} images at {1 / seconds:.0f} calls/s"


def main(
    images: Annotated[int, typer.Option(help="Images before.")] = 1_000,
    shards: Annotated[int, typer.Option(help="Shards before.")] = 4,
    seconds_per_call: Annotated[
        float, typer.Option(help="Model time a call: 0.05 is 20 calls a second.")
    ] = 0.05,
    new: Annotated[list[float], typer.Option(help="Shares of new images.")] = [  # noqa: B006
        0.01,
        0.02,
        0.05,
        0.1,
    ],
    spread: Annotated[list[float], typer.Option(help="Shares of replaced images.")] = [  # noqa: B006
        0.01,
    ],
    train: Annotated[bool, typer.Option(help="Train one checkpoint, of 50 steps.")] = False,
    detail: Annotated[bool, typer.Option(help="Tell runs and seconds by asset.")] = False,
) -> None:
    """Measure, and print a table."""
    models = FakeModels()
    ways = [*(("new", share) for share in new), *(("spread", share) for share in spread)]
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder) / "first", models) as graph:
            World(graph, Path(folder), 2, 0.0).everything(1, train)
        home, saved = Path(folder) / "state", Path(folder) / "saved"
        with opened(home, models) as graph:
            full = World(graph, home, images, seconds_per_call).everything(shards, train)
        home.rename(saved)
        print(
            f"{images:,} images in {shards} shards, {ROLE_SET}; models answer "
            f"{1 / seconds_per_call:.0f} calls/s (assumed)"
        )
        print(HEAD)
        tell("all", full, full, detail)
        for way, share in ways:
            shutil.copytree(saved, home)
            with opened(home, models) as graph:
                world = World(graph, home, images, seconds_per_call)
                go_on = world.added if way == "new" else world.replaced
                cost = go_on(round(images * share))
            shutil.rmtree(home)
            tell(f"{share:.0%} {way}", cost, full, detail)
            if share < AIM:
                found = ", ".join(sizes(cost, full, images, share))
                print(f"    below {AIM:.0%} of wall time from (estimate): {found}", flush=True)


def tell(name: str, cost: Cost, full: Cost, detail: bool) -> None:
    """Print a line of the table, and runs and seconds by asset if they are asked for."""
    print(row(name, cost, full), flush=True)
    if detail:
        print(by_asset(cost), flush=True)


if __name__ == "__main__":
    typer.run(main)
