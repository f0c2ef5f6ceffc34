"""What was learned of a model at a server, kept below the data root from one run to the next.

What a server refuses is part of the identity of rows, so it must be known before a run asks, and
must not be found out anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.mllm.engine import Learned
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.store.atomic_files import write_text
from rolesynth_assets.store.digests import digest


def record_path(data_root: str | Path, settings: EngineSettings) -> Path:
    """Return the file of a model at a server, as the settings name both."""
    named = (settings.engine, settings.base_url or "", settings.model or "")
    declared = (settings.revision or "", settings.revision_suffix)
    return DataPaths(data_root).models / f"{digest('learned', *named, *declared)[:24]}.json"


def read_record(path: Path) -> tuple[Learned | None, str]:
    """Return what was learned and the run that asked last; (None, "") if there is no record.

    A file that cannot be read is no record: everything in it can be learned again.
    """
    try:
        stored = json.loads(path.read_text("utf-8"))
        known: dict[str, Any] = {field.name: stored[field.name] for field in fields(Learned)}
        known["left_out"] = tuple(known["left_out"])
        return Learned(**known), str(stored["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, ""


def write_record(path: Path, settings: EngineSettings, learned: Learned, run_id: str) -> None:
    """Write what was learned.

    Raises:
        OSError: the file cannot be written.
    """
    about = {"engine": settings.engine, "model": settings.model, "base_url": settings.base_url}
    write_text(path, json.dumps({**about, **asdict(learned), "run_id": run_id}, indent=1))


def with_learned(data_root: str | Path, settings: EngineSettings) -> EngineSettings:
    """Return the settings with what earlier runs learned of their model."""
    if settings.engine == "embedded":
        return settings
    learned, _ = read_record(record_path(data_root, settings))
    return settings if learned is None else settings.model_copy(update={"learned": learned})
