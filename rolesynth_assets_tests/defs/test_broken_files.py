"""A project with broken files of every kind: the graph loads, and names them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import dagster as dg
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.wiring import partitions, r1_partitions

keys = {
    "role_sets": partitions.role_set, "recipes": partitions.recipe,
    "benchmarks": partitions.benchmark, "r1_recipes": r1_partitions.r1_recipe,
    "r1_benchmarks": r1_partitions.r1_benchmark,
}
for folder, definition in keys.items():
    found = definition.get_partition_keys()
    assert "bad" in found and len(found) > 1, (folder, found)
with dg.DagsterInstance.ephemeral() as instance:
    repository = defs.get_repository_def()
    job = repository.get_implicit_global_asset_job_def()
    sources = sorted(repository.asset_graph.observable_asset_keys)
    result = job.execute_in_process(instance=instance, asset_selection=sources)
    assert result.success
    for benchmark in ("bad", "damaged"):
        made = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("benchmark_scores")],
            partition_key=dg.MultiPartitionKey({"recipe": "roles5", "benchmark": benchmark}),
            raise_on_error=False,
        )
        assert not made.success
        errors = [e.event_specific_data.error for e in made.all_events if e.is_step_failure]
        print(benchmark, errors[0].cause.message if errors[0].cause else errors[0].message)
    versions = {
        o.partition: o.tags["dagster/data_version"]
        for o in instance.fetch_observations(dg.AssetKey("benchmark_files"), 100).records
        for o in [o.asset_observation]
    }
    assert versions["damaged"].startswith("unusable-"), versions
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("role_sets", "recipes", "benchmarks", "collectives", "r1_recipes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bad.yaml").write_text("name: bad\nnonsense: 1\n")
    (tmp_path / "r1_benchmarks").mkdir()
    (tmp_path / "r1_benchmarks" / "bad.yaml").write_text("name: [")
    (tmp_path / "files").mkdir()
    (tmp_path / "benchmarks" / "damaged.yaml").write_text(
        f"{{name: damaged, kind: retrieval, path: {tmp_path}/files}}"
    )
    return tmp_path


def test_broken_files_stop_nothing_and_their_partitions_fail(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(project))
    monkeypatch.setenv("ROLESYNTH_DATA", str(project / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK], capture_output=True, text=True, cwd=project, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for folder in ("role_sets", "recipes", "benchmarks", "r1_recipes", "r1_benchmarks"):
        assert f"Skipped: {project / folder / 'bad.yaml'}" in done.stderr
    assert "bad.yaml" in done.stdout and "nonsense" in done.stdout
