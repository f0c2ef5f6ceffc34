"""What was learned of a model at a server, kept below the data root from one run to the next.

What a server refuses is part of the identity of rows, so it must be known before a run asks, and
must not be found out anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.mllm.engine import Learned
from rolesynth_assets.mllm.settings import BATCHES, EngineSettings
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Record:
    """The preflight of a model.

    Attributes:
        learned: what the model's server was found to do and to refuse.
        run_id: the run that asked last.
        looked: whether that run showed the colour cards.
        first_run: the run that asked first.
    """

    learned: Learned
    run_id: str
    looked: bool
    first_run: str


def record_path(data_root: DataPath | str, settings: EngineSettings) -> DataPath:
    """Return the file of a model at a server, as the settings name both."""
    engine = "openai" if settings.engine == BATCHES else settings.engine  # the same server
    servers = ",".join(sorted(settings.base_urls))  # in any order
    named = (engine, servers, settings.model or "")
    declared = (settings.revision or "", settings.revision_suffix)
    return DataPaths(data_root).models / f"{digest('learned', *named, *declared)[:24]}.json"


def read_record(path: DataPath) -> Record | None:
    """Return the record of a model; None if there is none.

    A file that cannot be read is no record: everything in it can be learned again.

    Raises:
        StorageError: the bucket does not answer. What it holds decides the identity of rows.
    """
    try:
        stored = json.loads(path.read_text("utf-8"))
        known: dict[str, Any] = {field.name: stored[field.name] for field in fields(Learned)}
        known["left_out"] = tuple(known["left_out"])
        looked, first = stored.get("looked", True), stored.get("first_run", "")
        return Record(Learned(**known), str(stored["run_id"]), bool(looked), str(first))
    except StorageError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: DataPath, settings: EngineSettings, record: Record) -> None:
    """Write the record of a model.

    Raises:
        OSError: the file cannot be written.
    """
    about = {"engine": settings.engine, "model": settings.model, "base_url": settings.base_url}
    runs = {"run_id": record.run_id, "looked": record.looked, "first_run": record.first_run}
    write_text(path, json.dumps({**about, **asdict(record.learned), **runs}, indent=1))


def with_learned(data_root: DataPath | str, settings: EngineSettings) -> EngineSettings:
    """Return the settings with what earlier runs learned of their model."""
    if settings.engine == "embedded":
        return settings
    record = read_record(record_path(data_root, settings))
    return settings if record is None else settings.model_copy(update={"learned": record.learned})
