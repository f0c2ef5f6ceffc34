"""Export of problems with all their columns as a data set of the `datasets` library on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.cads.problems.exports.accepted import AcceptedProblem, ExportError
from rolesynth_assets.cads.problems.exports.parquet import (
    FILE,
    image_cell,
    portable,
    portable_features,
    write_parquet,
)
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.control_tokens import control_tokens, neutralise

if TYPE_CHECKING:
    from datasets import Features

CARD = "README.md"
NEUTRALISED = "neutralised"


def export_hf(problems: Iterable[AcceptedProblem], folder: DataPath, card: str) -> int:
    """Write the export, replacing an older one as a whole, and return its rows.

    Read it with ``datasets.load_from_disk(FOLDER)``: it has the columns of `AcceptedProblem`, with
    ``image`` decoded. Question, answer and solution are in neutral form, because a trainer
    tokenizes them; the column ``neutralised`` lists the control tokens that they contained
    (`control_tokens.restore` restores them).

    Args:
        problems: kept problems.
        folder: folder for the data set, and for the card as ``README.md``.
        card: the dataset card, Markdown.

    Raises:
        ExportError: there is no problem, or no card.
    """
    from datasets import Dataset, disable_progress_bars

    if not card.strip():
        raise ExportError(
            f"{folder}: a data set on disk comes with its card, and this one is empty"
        )
    disable_progress_bars()  # they would be written to the log of the step
    with replaced_folder(folder) as draft:
        work = draft / "work"
        work.mkdir()
        count = write_parquet(work / FILE, _features(), map(_row, problems))
        loaded = Dataset.from_parquet(str(work / FILE), cache_dir=str(work / "cache"))
        loaded.save_to_disk(draft)
        shutil.rmtree(work)
        _make_portable(draft)
        (draft / CARD).write_text(card, encoding="utf-8")
        return count


def _make_portable(folder: Path) -> None:
    """Rewrite the descriptions of the columns so that `datasets` 3 reads them too."""
    import pyarrow as pa

    info = folder / "dataset_info.json"
    described = json.loads(info.read_text(encoding="utf-8"))
    described["features"] = portable_features(described["features"])
    info.write_text(json.dumps(described, indent=2), encoding="utf-8")
    for path in sorted(folder.glob("*.arrow")):
        draft = path.with_suffix(".draft")
        with pa.memory_map(str(path)) as source, pa.OSFile(str(draft), "wb") as sink:
            batches = pa.ipc.open_stream(source)
            schema = portable(batches.schema)
            with pa.ipc.new_stream(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        draft.replace(path)


def _row(problem: AcceptedProblem) -> dict[str, object]:
    texts = (problem.question, problem.answer, problem.solution)
    return {
        **asdict(problem),
        **dict(zip(("question", "answer", "solution"), map(neutralise, texts), strict=True)),
        "image": image_cell(problem),
        NEUTRALISED: [token for text in texts for token in control_tokens(text)],
    }


def _features() -> Features:
    from datasets import Features, Image, List, Value

    kinds = {"consensus": Value("int32"), "judges": Value("int32"), "hard": Value("bool")}
    return Features(
        {
            field.name: Image() if field.name == "image" else kinds.get(field.name, Value("string"))
            for field in fields(AcceptedProblem)
        }
        | {NEUTRALISED: List(Value("string"))}
    )
