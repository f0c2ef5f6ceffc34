"""The settings choose where steps run, and what the pods of steps ask for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rolesynth_assets.settings import Settings, SettingsError

DEFINITIONS = """
import json, sys
import dagster as dg
from rolesynth_assets.definitions import defs
tags = {
    key.to_user_string(): asset.op.tags
    for asset in defs.assets if isinstance(asset, dg.AssetsDefinition)
    for key in asset.keys
}
print(json.dumps({"executor": defs.executor.name, "tags": tags}))
"""


def definitions(folder: Path, settings: str) -> subprocess.CompletedProcess[str]:
    """Load the definitions of a project with these settings, in a process of their own."""
    (folder / "rolesynth.yaml").write_text(settings)
    return subprocess.run(
        [sys.executable, "-c", DEFINITIONS], cwd=folder, capture_output=True, text=True
    )


def test_steps_run_in_pods_with_the_resources_of_their_asset(tmp_path: Path) -> None:
    settings = """
executor: kubernetes
pods:
  clip_checkpoints: {gpus: 1, cpus: 7.5, memory: 64Gi, node_selector: {gpu: h100}}
"""
    said = json.loads(definitions(tmp_path, settings).stdout.splitlines()[-1])
    assert said["executor"] == "k8s"
    pod = json.loads(said["tags"].pop("clip_checkpoints")["dagster-k8s/config"])
    amounts = {"cpu": "7.5", "memory": "64Gi", "nvidia.com/gpu": "1"}
    assert pod == {
        "container_config": {"resources": {"requests": amounts, "limits": amounts}},
        "pod_spec_config": {"node_selector": {"gpu": "h100"}},
    }
    assert not [name for name, tags in said["tags"].items() if "dagster-k8s/config" in tags]


def test_an_asset_that_does_not_exist_is_named(tmp_path: Path) -> None:
    failed = definitions(tmp_path, "pods: {clip_checkpoint: {gpus: 1}}")
    assert "there is no asset clip_checkpoint; there are abl" in failed.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("pods: {clip_checkpoints: {memory: 64 GB}}", r"pods\.clip_checkpoints\.memory"),
        ("pods: {clip_checkpoints: {gpus: -1}}", r"pods\.clip_checkpoints\.gpus"),
        ("executor: docker", "executor"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "rolesynth.yaml").write_text(settings)
    with pytest.raises(SettingsError, match=said):
        Settings.load({"ROLESYNTH_PROJECT": str(tmp_path)})
