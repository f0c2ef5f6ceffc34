"""The platform's whole graph over a handful of pictures, with fake models and its own instance."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import yaml
from PIL import Image

from rolesynth_assets.clip.recipe import Schedule
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.wiring import partitions, resources
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.shards.registry import load_shards, register_path
from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError, RefreshReport
from rolesynth_assets.lineage.refresh.targets import targets
from rolesynth_assets.pairs import diversity
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.defs.fake_models import FakeModels


def clear_environment(patch: pytest.MonkeyPatch, environ: Mapping[str, str]) -> None:
    """Leave no setting of the person who runs the tests in place."""
    for name in environ:
        if name.startswith("ROLESYNTH_") or name in ("OPENAI_API_KEY", "DAGSTER_HOME"):
            patch.delenv(name)


def noise_picture(number: int) -> bytes:
    """A PNG of 32 x 32 pixels that no other number gives."""
    pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def write_pictures(folder: Path, numbers: range) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number:03d}.png").write_bytes(noise_picture(number))
    return folder


def hashed_embeddings(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors that differ from text to text, without loading a sentence encoder."""
    rows = [np.frombuffer(bytes.fromhex(digest("embedding", t)), np.uint8) for t in texts]
    vectors = np.stack(rows).astype(np.float32) - 127.5
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class SmallGraph:
    """A project folder, fake models and an instance; `refresh` is what the command line does.

    Attributes:
        started: (asset, partition) of every run so far, in order.
    """

    def __init__(
        self,
        project: Path,
        instance: dg.DagsterInstance,
        patch: pytest.MonkeyPatch,
        root: DataPath | None = None,
    ) -> None:
        self.project = project
        self.root = project / "data" if root is None else root
        self.instance = instance
        self.patch = patch
        self.models = FakeModels()
        self.started: list[tuple[str, str | None]] = []

    @property
    def store(self) -> Store:
        return Store(str(self.root))

    @property
    def small(self) -> SmallTables:
        return SmallTables(self.root)

    def add_shard(self, name: str, numbers: range) -> str:
        (shard,) = register_path(
            self.root, write_pictures(self.project / "pictures" / name, numbers), name
        )
        return shard.key

    def set_thresholds(self, *, duplicates: str = "first", **bounds: float) -> None:
        settings = {"thresholds": bounds, "ingest": {"duplicates": duplicates}}
        (self.project / "rolesynth.yaml").write_text(yaml.safe_dump(settings))

    def shorten_recipe(self, name: str, steps: int) -> None:
        """Train a shipped recipe for a moment only."""
        recipe = partitions.RECIPES[name]
        schedule = Schedule(steps=steps, batch_images=4)
        self.patch.setitem(
            partitions.RECIPES, name, recipe.model_copy(update={"schedule": schedule})
        )

    def refresh(
        self, role_sets: Sequence[str] = ("generic1",), recipes: Sequence[str] = ()
    ) -> RefreshReport:
        shards = sorted(load_shards(self.root))
        self.instance.add_dynamic_partitions("image_shard", shards)
        tasks = [n for n, t in partitions.TASKS.items() if t.resolve(self.root).exists()]
        plan = targets(
            shards, role_sets, [(partitions.RECIPES[name], [0]) for name in recipes], tasks
        )
        refresher = Refresher(defs, self.instance)
        refresher.observe_sources()
        report = refresher.run(plan, lambda asset, key: self.started.append((asset, key)))
        if report.failed:
            raise RefreshError("\n".join(report.failed.values()))
        return report

    def materialize(
        self, asset: str, partition: str | None, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=partition,
            raise_on_error=raise_on_error,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def materializations(self, asset: str) -> dict[str | None, dg.EventLogEntry]:
        """The latest materialization of each partition."""
        found = self.instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records
        return {r.partition_key: r.event_log_entry for r in reversed(found)}

    def checks(self, asset: str, partition: str | None) -> dict[str, dg.AssetCheckEvaluation]:
        """The latest evaluation of each of an asset's checks for one partition."""
        latest: dict[str, dg.AssetCheckEvaluation] = {}
        for key in defs.resolve_asset_graph().get_check_keys_for_assets({dg.AssetKey(asset)}):
            history = self.instance.event_log_storage.get_asset_check_execution_history(key, 1000)
            for record in history:
                if record.partition == partition and record.evaluation and key.name not in latest:
                    latest[key.name] = record.evaluation
        return latest


@contextmanager
def small_graph(
    project: Path,
    instance: dg.DagsterInstance,
    patch: pytest.MonkeyPatch,
    environ: Mapping,
    root: DataPath | None = None,
) -> Iterator[SmallGraph]:
    graph = SmallGraph(project, instance, patch, root)
    clear_environment(patch, dict(environ))
    for name, value in {
        "PROJECT": str(project),
        "DATA": str(graph.root),
        "ENGINE": "openai",
        "PREFLIGHT": "off",  # the fake models count captions and scores alone
        "MODEL": "fake",
        "BASE_URL": "http://127.0.0.1:9/v1",
    }.items():
        patch.setenv(f"ROLESYNTH_{name}", value)
    patch.setattr(resources, "take_engine", graph.models.make)
    patch.setattr(diversity, "sentence_embeddings", hashed_embeddings)
    yield graph
