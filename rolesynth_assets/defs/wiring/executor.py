"""Where the steps of a run are executed, and what the pod of a step asks for on Kubernetes."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from rolesynth_assets.defs.wiring.partitions import SETTINGS
from rolesynth_assets.lineage.run_process.executor import recorded
from rolesynth_assets.settings import PodResources, SettingsError

_POD = "dagster-k8s/config"


def executor() -> dg.ExecutorDefinition:
    """Return the executor that the settings name.

    Raises:
        SettingsError: it needs a package that is not installed.
    """
    if SETTINGS.executor == "processes":
        return recorded(dg.multiprocess_executor.configured({"max_concurrent": 1}))
    try:
        from dagster_k8s import k8s_job_executor
    except ImportError as error:
        raise SettingsError(
            "executor: kubernetes needs the package dagster-k8s: pip install "
            "'rolesynth-assets[k8s]'"
        ) from error
    # one step of a run after the other, as with processes: most of them read what the last one made
    return recorded(k8s_job_executor.configured({"max_concurrent": 1}))


def pod_tags(asset: str) -> dict[str, Any]:
    """Return the tags by which the Kubernetes executor gives an asset's step its resources."""
    wanted = SETTINGS.pods.get(asset)
    return {} if wanted is None else {_POD: _pod(wanted)}


def _pod(wanted: PodResources) -> dict[str, Any]:
    amounts = {
        "cpu": None if wanted.cpus is None else f"{wanted.cpus:g}",
        "memory": wanted.memory,
        "nvidia.com/gpu": str(wanted.gpus) if wanted.gpus else None,
    }
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    config: dict[str, Any] = {
        "container_config": {"resources": {"requests": given, "limits": given}}
    }
    if wanted.node_selector:
        config["pod_spec_config"] = {"node_selector": dict(wanted.node_selector)}
    return config


def check_pods(assets: Iterable[str]) -> None:
    """Refuse settings for the pods of assets that do not exist.

    Raises:
        SettingsError: the message names them, and all assets.
    """
    known = sorted(assets)
    if unknown := sorted(SETTINGS.pods.keys() - set(known)):
        raise SettingsError(
            f"rolesynth.yaml, pods: there is no asset {', '.join(unknown)}; there are "
            f"{', '.join(known)}"
        )
