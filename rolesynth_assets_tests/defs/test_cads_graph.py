"""Seeds, two rounds of three served models, and the synthetic set, as Dagster runs them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from datasets import load_from_disk

from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.defs import cads, problems, sources
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.files.whole_folders import file_of, local_folder
from rolesynth_assets.r1 import library
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.served_collective import choose, serve
from rolesynth_assets_tests.defs.shown_ids import untraced
from rolesynth_assets_tests.defs.small_graph import clear_environment
from rolesynth_assets_tests.mllm.stub_server import StubServer

DOMAIN = "problems"
FIRST, SECOND = "2026-01-04", "2026-01-11"


class CadsGraph:
    def __init__(
        self, project: Path, root: DataPath, instance: dg.DagsterInstance, server: StubServer
    ) -> None:
        self.project = project
        self.paths = DataPaths(root)
        self.instance = instance
        self.server = server
        self.store = Store(str(root))
        self.defs = dg.Definitions(
            assets=dg.load_assets_from_modules([sources, cads, problems]),
            resources={"platform": Platform()},
        )

    def make(self, asset: str, partition: str) -> dg.AssetMaterialization:
        result = self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, asset_selection=[dg.AssetKey(asset)], partition_key=partition
        )
        failed = {
            e.check_name: e.description
            for e in result.get_asset_check_evaluations()
            if not e.passed
        }
        assert failed == {}
        (made,) = result.asset_materializations_for_node(asset)
        return made

    def rows(self, table: str, **partition: str) -> list[dict]:
        return self.store.read(table, partition).to_pylist()


@pytest.fixture
def graph(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CadsGraph]:
    clear_environment(monkeypatch, dict(os.environ))
    root: DataPath = tmp_path / "data"
    if getattr(request, "param", "folder") == "bucket":
        root = data_path(request.getfixturevalue("bucket_root"))
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(root))
    monkeypatch.setattr(library, "load_r1_benchmarks", lambda folder: {})
    seeds = tmp_path / "seeds" / f"{DOMAIN}.jsonl"
    seeds.parent.mkdir()
    lines = [{"description": "counting dots"}, {"problem": "How many dots?", "answer": "secret-7"}]
    seeds.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setitem(partitions.SEED_FILES, DOMAIN, seeds)
    with serve() as server, dg.DagsterInstance.ephemeral() as instance:
        choose(monkeypatch, tmp_path, server)
        yield CadsGraph(tmp_path, root, instance, server)


def number(made: dg.AssetMaterialization, name: str) -> object:
    return made.metadata[f"rolesynth/{name}"].value


def version(made: dg.AssetMaterialization) -> str:
    return (made.tags or {})["dagster/data_version"]


@pytest.mark.parametrize("graph", ["folder", "bucket"], indirect=True)
def test_seeds_become_problems_in_rounds_that_build_on_each_other(graph: CadsGraph) -> None:
    seeds = graph.make("cads_seeds", DOMAIN)
    assert number(seeds, "seeds") == 2
    assert version(seeds) == graph.store.digest("seeds", {"domain": DOMAIN})

    first = graph.make("cads_rounds", f"{DOMAIN}|{FIRST}")
    assert number(first, "candidates") == 12
    assert number(first, "calls") == len(graph.server.requests)
    assert isinstance(number(first, "hard"), int) and number(first, "hard")
    assert {"rolesynth/picture_hard", "rolesynth/picture_consensus"} <= set(first.metadata)
    learnt = {r["seed_id"]: r["text"] for r in graph.rows("contexts", domain=DOMAIN, round=FIRST)}
    assert any(learnt.values())

    asked = len(graph.server.requests)
    graph.make("cads_rounds", f"{DOMAIN}|{SECOND}")
    before = graph.rows("contexts", domain=DOMAIN, round=SECOND)
    assert {row["seed_id"]: row["before"] for row in before} == learnt
    assert {row["round_number"] for row in before} == {2}
    written = [
        payload["messages"][-1]["content"]
        for payload in graph.server.payloads[asked:]
        if payload["messages"][0]["content"] == prompt("write").system
    ]
    assert any(text in json.dumps(said) for said in written for text in learnt.values() if text)
    assert not any("secret-7" in json.dumps(payload) for payload in graph.server.payloads)

    made = graph.make("synthetic_problems", DOMAIN)
    kept = [row for row in graph.rows("problems", domain=DOMAIN) if row["kept"]]
    assert {row["round"] for row in kept} == {FIRST, SECOND}
    assert number(made, "problems") == len(kept) > 0
    exports = graph.paths.exports(DOMAIN)
    assert len(load_from_disk(str(local_folder(exports / "hf")))) == len(kept)
    assert all(file_of(exports / name, "train.parquet") for name in ("easyr1", "trl"))
    assert graph.paths.problem_card(DOMAIN).is_file()
    assert untraced(graph.instance) == {}  # whatever id a page shows


def test_a_round_that_is_run_again_makes_no_call_and_is_the_same(graph: CadsGraph) -> None:
    graph.make("cads_seeds", DOMAIN)
    first = graph.make("cads_rounds", f"{DOMAIN}|{FIRST}")
    asked = len(graph.server.requests)
    again = graph.make("cads_rounds", f"{DOMAIN}|{FIRST}")
    assert len(graph.server.requests) == asked
    assert (number(first, "calls"), number(again, "calls")) == (asked, 0)
    assert version(again) == version(first)


def test_without_a_collective_a_round_says_how_to_choose_one(
    graph: CadsGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.make("cads_seeds", DOMAIN)
    monkeypatch.delenv("ROLESYNTH_COLLECTIVE")
    monkeypatch.setenv("ROLESYNTH_ENGINE", "openai")
    with pytest.raises(dg.Failure, match=r"ROLESYNTH_COLLECTIVE, to one of: .*served"):
        graph.make("cads_rounds", f"{DOMAIN}|{FIRST}")


def test_a_round_depends_on_the_one_before_and_the_set_on_all(graph: CadsGraph) -> None:
    nodes = graph.defs.resolve_asset_graph()
    rounds = dg.AssetKey("cads_rounds")
    mapping = nodes.get_partition_mapping(rounds, rounds)
    for key, parents in (
        (f"{DOMAIN}|{SECOND}", {f"{DOMAIN}|{FIRST}"}),
        (f"{DOMAIN}|{FIRST}", set()),
    ):
        asked = partitions.domain_by_round.subset_with_partition_keys([key])
        found = mapping.get_upstream_mapped_partitions_result_for_partitions(
            asked, partitions.domain_by_round, partitions.domain_by_round
        )
        assert set(found.partitions_subset.get_partition_keys()) == parents
    assert partitions.key_of_round_before(SECOND) == FIRST
    assert partitions.key_of_round_before(FIRST) is None
