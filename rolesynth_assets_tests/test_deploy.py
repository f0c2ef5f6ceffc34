"""The team variant of dagster.yaml is one that Dagster takes."""

import re
from pathlib import Path

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

TEAM = Path(__file__).parent.parent / "deploy" / "dagster.postgres-s3.yaml"


def test_team_variant_is_a_valid_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what stands commented out is meant to be used as well
    text = re.sub(r"^( +)# (\w+: )", r"\1\2", TEAM.read_text(), flags=re.MULTILINE)
    (tmp_path / "dagster.yaml").write_text(text)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DAGSTER_S3_BUCKET"):
        monkeypatch.setenv(variable, "logs")
    instance = InstanceRef.from_dir(str(tmp_path))
    assert type(instance.compute_log_manager).__name__ == "S3ComputeLogManager"
    storage = instance.event_storage_data
    assert storage is not None and storage.class_name == "PostgresEventLogStorage"
    options = yaml.safe_load(storage.config_yaml)["postgres_db"]
    assert options.keys() == {
        *("scheme", "hostname", "port", "username", "password", "db_name", "params")
    }
    assert (instance.settings or {})["nux"] == {"enabled": False}
