import subprocess
import sys
from collections.abc import Sequence

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy
from syrupy.assertion import SnapshotAssertion

HEAVY = (
    "torch",
    "transformers",
    "open_clip",
    "lancedb",
    "lance",
    "vllm",
    "sentence_transformers",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "numpy",
)


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from rolesynth_assets.definitions import defs

    return defs


def _partitions(given: dg.PartitionsDefinition | None) -> object:
    if isinstance(given, dg.MultiPartitionsDefinition):
        return {d.name: _partitions(d.partitions_def) for d in given.partitions_defs}
    if isinstance(given, dg.DynamicPartitionsDefinition):
        return f"dynamic: {given.name}"
    if isinstance(given, dg.TimeWindowPartitionsDefinition):
        return f"{given.cron_schedule} from {given.start:%Y-%m-%d}"
    return f"static: {', '.join(given.get_partition_keys())}" if given else None


def _dependency(dep: dg.AssetDep) -> str:
    mapping = dep.partition_mapping
    how = "" if mapping is None else f" through {type(mapping).__name__}"
    if isinstance(mapping, dg.MultiToSingleDimensionPartitionMapping):
        how += f"({mapping.partition_dimension_name})"
    elif isinstance(mapping, dg.MultiPartitionMapping):
        how += f"({', '.join(sorted(mapping.downstream_mappings_by_upstream_dimension))})"
    elif isinstance(mapping, dg.StaticPartitionMapping):
        given = mapping.downstream_partition_keys_by_upstream_partition_key
        how += f"({ {up: sorted(down) for up, down in sorted(given.items())} })"
    return dep.asset_key.to_user_string() + how


def _checks(defs: dg.Definitions, key: dg.AssetKey) -> Sequence[str]:
    graph = defs.resolve_asset_graph()
    checks = [graph.get(check) for check in graph.get_check_keys_for_assets({key})]
    return sorted(
        f"{check.key.name}{' (blocking)' if check.blocking else ''}"
        f"{'' if check.partitions_def == graph.get(key).partitions_def else ' (other partitions)'}"
        for check in checks
    )


def _windows(policy: object) -> str | None:
    if not isinstance(policy, TimeWindowFreshnessPolicy):
        return None
    assert policy.warn_window
    warn, fail = policy.warn_window.to_timedelta(), policy.fail_window.to_timedelta()
    return f"warn after {warn.days} days, fail after {fail.days}"


def test_definitions_are_as_agreed(defs: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    graph = defs.resolve_asset_graph()
    shown = {}
    for spec in sorted(defs.resolve_all_asset_specs(), key=lambda s: s.key.to_user_string()):
        node, condition = graph.get(spec.key), spec.automation_condition
        shown[spec.key.to_user_string()] = {
            "automation": condition.get_label() if condition else None,
            "checks": _checks(defs, spec.key),
            "code_version": spec.code_version,
            "deps": sorted(map(_dependency, spec.deps)),
            "freshness": _windows(spec.freshness_policy),
            "group": spec.group_name,
            "kinds": sorted(spec.kinds),
            "owners": list(spec.owners),
            "partitions": _partitions(node.partitions_def),
            "pools": sorted(node.pools or ()),
        }
    assert shown == snapshot(name="assets")
    sensors = {
        s.name: {
            "interval_s": s.minimum_interval_seconds,
            "runs at first": s.default_status.value,
        }
        for s in defs.sensors or ()
        if isinstance(s, dg.SensorDefinition)
    }
    assert sensors == snapshot(name="sensors")


PAID = {
    "image_shards",  # reads every image; `new_image_shards` starts it
    "role_lists",
    "raw_captions",
    "caption_scores",
    "training_sets",  # pins Lance versions for good: made with the training that it is for
    "clip_checkpoints",
    "benchmark_scores",
    "cads_seeds",  # changes what the next paid round is about
    "cads_rounds",
    "r1_checkpoints",
    "r1_scores",
    "meaning_index",  # embeds every new caption, hours without a GPU
}


def test_nothing_paid_starts_by_a_condition(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    by_itself = {
        spec.key.to_user_string()
        for spec in defs.resolve_all_asset_specs()
        if spec.automation_condition is not None
    }
    made = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert made - by_itself == PAID | {"table_maintenance"}  # which a schedule of its own starts
    pooled = {name for name in made if graph.get(dg.AssetKey(name)).pools}
    assert not pooled & by_itself  # a pool is a model, a GPU or the one writer of a table


def test_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_says_what_it_takes_and_when_it_is_stale(defs: dg.Definitions) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        if defs.resolve_asset_graph().get(spec.key).is_materializable:
            text = " ".join(spec.description.split())
            assert all(part in text for part in ("In: ", "Out: ", "Stale when: ")), spec.key


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    code = (
        "import sys, rolesynth_assets.definitions\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == ""


def test_workspace_names_the_module_of_the_definitions() -> None:
    from pathlib import Path

    import yaml

    import rolesynth_assets

    root = Path(rolesynth_assets.__file__).parents[1]
    workspace = yaml.safe_load((root / "workspace.yaml").read_text())
    (entry,) = workspace["load_from"]
    assert entry["python_module"]["module_name"] == "rolesynth_assets.definitions"
