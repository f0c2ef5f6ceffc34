"""R1's part of the graph, trained for two steps on a handful of stored problems."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.defs import r1, sources
from rolesynth_assets.defs.wiring import r1_partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
from rolesynth_assets.r1.benchmarks.items import benchmark_items
from rolesynth_assets.r1.data import stored_data
from rolesynth_assets.r1.library import load_r1_recipes
from rolesynth_assets.r1.recipe import Training
from rolesynth_assets.r1.training.checkpoint import read_provenance
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, write_tombstone
from rolesynth_assets_tests.defs.shown_ids import untraced
from rolesynth_assets_tests.lineage.stored_problems import frame_of
from rolesynth_assets_tests.r1.pictures import COLOURS, png

TINY = {
    "name": "synthetic",
    "description": "Two steps.",
    "model": "rolesynth-nano",
    "training": "synthetic",
    "generations": 2,
    "batch": 2,
    "micro_batch": 4,
    "max_completion_tokens": 6,
    "steps": 2,
    "save_every": 2,
    "seeds": [0],
    "precision": "float32",
    "gradient_checkpointing": False,
    "baseline": "base",
}
CHECKPOINT, SCORES = "r1_checkpoints", "r1_scores"
DOMAINS = dg.StaticPartitionsDefinition(["colours"])


@dg.asset(partitions_def=DOMAINS)
def synthetic_problems() -> None: ...


@dg.asset(partitions_def=DOMAINS)
def cads_seeds() -> None: ...


R1_FILES = (sources.r1_recipe_files, sources.r1_benchmark_files)


class R1Graph:
    """R1's assets over a data root, behind stand-ins for the assets of CADS."""

    def __init__(self, project: Path, instance: dg.DagsterInstance) -> None:
        self.root = project / "data"
        self.store = Store(str(self.root))
        self.small = SmallTables(self.root)
        self.instance = instance
        self.defs = dg.Definitions(
            assets=[synthetic_problems, cads_seeds, *dg.load_assets_from_modules([r1]), *R1_FILES],
            resources={"platform": Platform(data_root=str(self.root), project=str(project))},
        )

    def materialize(
        self, asset: str, partition: str | None = None, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=partition,
            raise_on_error=raise_on_error,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def write_problems(self, images: list[bytes]) -> None:
        rows = [problem(number, image) for number, image in enumerate(images)]
        self.store.replace("problems", {"domain": "colours"}, frame_of("problems", rows))


def picture(number: int) -> bytes:
    return png(COLOURS[number], (60 + number, 40))


def problem(number: int, image: bytes) -> dict:
    return {
        "problem_id": f"problem-{number}",
        "domain": "colours",
        "round": "2026-01-05" if number % 2 else "2026-01-12",
        "question": f"How many stripes has picture {number}?",
        "answer": str(number),
        "task_type": str(TaskType.OPEN_ENDED),
        "image_id": image_id(image),
        "image": image,
        "kept": number != 4,
    }


@pytest.fixture
def r1_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[R1Graph]:
    folder = tmp_path / "r1_recipes"
    folder.mkdir()
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    small = R1Benchmark.model_validate(
        {"name": "counting", "layout": "embedded", "domain": "counting", "count": 4}
    )
    for name, recipe in load_r1_recipes(folder).items():
        monkeypatch.setitem(r1_partitions.R1_RECIPES, name, recipe)
    for name in list(r1_partitions.R1_BENCHMARKS):
        monkeypatch.delitem(r1_partitions.R1_BENCHMARKS, name)
    monkeypatch.setitem(r1_partitions.R1_BENCHMARKS, "counting", small)
    with dg.DagsterInstance.ephemeral() as instance:
        graph = R1Graph(tmp_path, instance)
        monkeypatch.setenv("ROLESYNTH_DATA", str(graph.root))
        yield graph


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert found.pop("up_to_date", True)
    return found


def test_problems_become_a_policy_scores_and_a_report(r1_graph: R1Graph) -> None:
    r1_graph.write_problems([picture(number) for number in range(6)])
    trained = r1_graph.materialize(CHECKPOINT, "synthetic|0")
    assert outcomes(trained) == dict.fromkeys(
        (
            "reward_finite",
            "no_reward_hacking",
            "reload_reproduces",
            "no_benchmark_problem",
            "no_withdrawn_image",
        ),
        True,
    )
    (event,) = trained.asset_materializations_for_node(CHECKPOINT)
    assert (event.metadata["rolesynth/steps"].value, event.metadata["rolesynth/items"].value) == (
        2,
        5,
    )
    assert "data:image/png" in str(event.metadata["rolesynth/curves"].value)
    assert "| question | reference |" in str(event.metadata["rolesynth/rollouts"].value)
    made = read_provenance(r1_graph.root / "r1_checkpoints" / "synthetic" / "seed-0")
    assert (event.tags or {})["dagster/data_version"].startswith(made.weights_digest)
    assert r1_graph.small.read("r1_trainings")["weights_digest"].to_list() == [made.weights_digest]
    assert "problem-4" not in r1_graph.small.read("r1_items")["item_id"].to_list()

    base = r1_graph.materialize(CHECKPOINT, "base|0")
    assert all(outcomes(base).values())
    (event,) = base.asset_materializations_for_node(CHECKPOINT)
    assert "rolesynth/curves" not in event.metadata

    for recipe in ("base", "synthetic"):
        scored = r1_graph.materialize(SCORES, f"counting|{recipe}")
        assert set(outcomes(scored)) == {"above_chance", "not_worse_than_baseline"}
    rows = r1_graph.small.read("r1_scores").sort("recipe", "metric")
    assert rows.select("recipe", "seed", "benchmark", "metric", "n").rows() == [
        (recipe, 0, "counting", metric, 4)
        for recipe in ("base", "synthetic")
        for metric in ("accuracy", "well_formed")
    ]
    assert made.weights_digest in rows["checkpoint_digest"].to_list()

    r1_graph.materialize("r1_report")
    page = (r1_graph.root / "reports" / "r1.md").read_text()
    assert "| `synthetic` | 1 |" in page and "too few seeds" in page
    assert untraced(r1_graph.instance) == {}  # whatever id a page shows


def test_an_image_of_a_benchmark_and_a_withdrawn_one_stop_a_policy(r1_graph: R1Graph) -> None:
    (held_out, *_) = benchmark_items(r1_partitions.R1_BENCHMARKS["counting"], r1_graph.root)
    r1_graph.write_problems([held_out.images[0], picture(1), picture(2)])
    gone = Tombstone(image_id(picture(2)), "asked for", "2026-01-13T00:00:00+00:00")
    write_tombstone(r1_graph.small, gone)
    result = r1_graph.materialize(CHECKPOINT, "synthetic|0", raise_on_error=False)
    assert not result.success
    failed = {name for name, passed in outcomes(result).items() if not passed}
    assert failed == {"no_benchmark_problem", "no_withdrawn_image"}


@pytest.mark.parametrize(
    ("asset", "partition", "said"),
    [
        (CHECKPOINT, "synthetic|0", "Materialize synthetic_problems"),
        (CHECKPOINT, "seeds_only|0", "Materialize cads_seeds"),
        (SCORES, "counting|synthetic", "materialize r1_checkpoints"),
        ("r1_report", None, "materialize r1_scores"),
    ],
)
def test_what_is_missing_is_named(
    r1_graph: R1Graph, asset: str, partition: str | None, said: str
) -> None:
    with pytest.raises((dg.Failure, ValueError), match=said):
        r1_graph.materialize(asset, partition)


def test_rounds_with_a_context_are_left_out_where_a_recipe_says_so(r1_graph: R1Graph) -> None:
    r1_graph.write_problems([picture(number) for number in range(6)])
    for round_key, text in (("2026-01-05", ""), ("2026-01-12", "Ask for two steps.")):
        where = {"domain": "colours", "round": round_key}
        row = {
            **where,
            "context_id": f"c {round_key}",
            "seed_id": "s",
            "before": text,
            "text": "Two.",
        }
        r1_graph.store.replace("contexts", where, frame_of("contexts", [row]))
    kinds = (Training.SYNTHETIC, Training.SYNTHETIC_WITHOUT_CONTEXT_OPTIMISATION)
    whole, plain = (stored_data(r1_graph.store, kind) for kind in kinds)
    assert [i.item_id for i in plain.data.items] == ["problem-1", "problem-3", "problem-5"]
    assert plain.image_ids == tuple(image_id(picture(n)) for n in (1, 3, 5))
    assert len(whole.data.items) == 5


def test_an_edited_recipe_or_benchmark_is_another_version(
    r1_graph: R1Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def observed() -> dict[tuple[str, str], str]:
        found = {}
        for name in ("r1_recipe_files", "r1_benchmark_files"):
            result = r1_graph.materialize(name)
            for event in result.get_asset_observation_events():
                seen = event.asset_observation_data.asset_observation
                found[name, seen.partition or ""] = seen.tags["dagster/data_version"]
        return found

    before = observed()
    recipe = r1_partitions.R1_RECIPES["synthetic"].model_copy(update={"beta": 0.5})
    benchmark = r1_partitions.R1_BENCHMARKS["counting"].model_copy(update={"seed": 1})
    monkeypatch.setitem(r1_partitions.R1_RECIPES, "synthetic", recipe)
    monkeypatch.setitem(r1_partitions.R1_BENCHMARKS, "counting", benchmark)
    after = observed()
    assert {key for key in after if after[key] != before[key]} == {
        ("r1_recipe_files", "synthetic"),
        ("r1_benchmark_files", "counting"),
    }
