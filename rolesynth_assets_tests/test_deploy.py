"""What `deploy/` holds is taken by Dagster and by Kubernetes, and its parts fit each other."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster_k8s.launcher import K8sRunLauncher
from typer.main import get_command

from rolesynth_assets.cli.app import app

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
MANIFESTS = ("access.yaml", "namespace.yaml", "ui.yaml")


def environment() -> dict[str, str]:
    lines = (KUBERNETES / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def kustomization() -> dict[str, Any]:
    return yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())


def manifests() -> Iterator[dict[str, Any]]:
    for name in MANIFESTS:
        yield from yaml.safe_load_all((KUBERNETES / name).read_text())


def ui_pod() -> dict[str, Any]:
    (found,) = (one for one in manifests() if one["kind"] == "Deployment")
    return found["spec"]["template"]["spec"]


def instance(text: str, folder: Path) -> InstanceRef:
    (folder / "dagster.yaml").write_text(text)
    return InstanceRef.from_dir(str(folder))


def test_team_variant_is_a_valid_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what stands commented out is meant to be used as well
    text = (DEPLOY / "dagster.postgres-s3.yaml").read_text()
    text = re.sub(r"^( +)# (\w+: )", r"\1\2", text, flags=re.MULTILINE)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DAGSTER_S3_BUCKET"):
        monkeypatch.setenv(variable, "logs")
    team = instance(text, tmp_path)
    assert type(team.compute_log_manager).__name__ == "S3ComputeLogManager"
    storage = team.event_storage_data
    assert storage is not None and storage.class_name == "PostgresEventLogStorage"
    options = yaml.safe_load(storage.config_yaml)["postgres_db"]
    assert options.keys() == {
        *("scheme", "hostname", "port", "username", "password", "db_name", "params")
    }
    assert (team.settings or {})["nux"] == {"enabled": False}


def test_kubernetes_variant_is_a_valid_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    found = instance((KUBERNETES / "dagster.yaml").read_text(), tmp_path)
    launcher = found.run_launcher
    assert isinstance(launcher, K8sRunLauncher)
    assert launcher.job_image == environment()["RUN_IMAGE"]
    storage = found.event_storage_data
    assert storage is not None and storage.class_name == "PostgresEventLogStorage"

    made = {one["name"] for one in kustomization()["configMapGenerator"]}
    assert {launcher.instance_config_map, *launcher.env_config_maps} == made
    accounts = {one["metadata"]["name"] for one in manifests() if one["kind"] == "ServiceAccount"}
    assert {launcher.service_account_name, ui_pod()["serviceAccountName"]} == accounts
    assert launcher.job_namespace == kustomization()["namespace"]
    home = launcher.dagster_home
    assert f"DAGSTER_HOME={home}" in (DEPLOY / "Dockerfile").read_text()
    assert home in [mount["mountPath"] for mount in ui_pod()["containers"][0]["volumeMounts"]]


def test_variables_of_the_instances_are_set_or_secret() -> None:
    needed = set(re.findall(r"env: (\w+)", (KUBERNETES / "dagster.yaml").read_text()))
    assert needed - environment().keys() == {"DAGSTER_POSTGRES_PASSWORD"}
    assert not [name for name in environment() if re.search("PASSWORD|KEY|SECRET|TOKEN", name)]


def test_manifests_fit_the_schemas_of_kubernetes() -> None:
    resources = kustomization()["resources"]
    assert sorted(resources) == sorted(MANIFESTS)
    kinds = set()
    for manifest in manifests():
        # the newest of the versions that the package has
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        kinds.add(manifest["kind"])
    assert kinds == {"Namespace", "ServiceAccount", "Role", "RoleBinding", "Deployment"}


def test_a_manifest_with_a_fault_is_refused() -> None:
    (deployment,) = (one for one in manifests() if one["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_the_image_is_not_root_and_its_commands_exist() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    instructions = [line.split(" ", 1) for line in lines if re.match("[A-Z]+ ", line)]
    users = [what for name, what in instructions if name == "USER"]
    assert users == ["10001"]
    assert instructions.index(["USER", "10001"]) > max(
        n for n, (name, _) in enumerate(instructions) if name in ("RUN", "COPY")
    )
    assert ui_pod()["securityContext"]["runAsUser"] == 10001
    copied = [shlex.split(what)[:-1] for name, what in instructions if name == "COPY"]
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for source in (one for group in copied for one in group):
        assert (ROOT / source).exists()
        assert f"!{source}" in allowed
    (command,) = (json.loads(what) for name, what in instructions if name == "CMD")
    for words in (command, ui_pod()["containers"][0]["args"]):
        program, name, *options = words
        known = get_command(app).commands[name]  # type: ignore[attr-defined]
        assert program == "rolesynth"
        assert known.make_context(name, [*options]).params["port"] == 3000


def test_extras_of_the_image_exist() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"^ARG EXTRAS=(.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert {*extras[0].split(",")} <= project["optional-dependencies"].keys()
