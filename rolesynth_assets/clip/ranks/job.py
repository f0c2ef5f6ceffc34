"""What the processes of a training are asked to do, and what they say of it, as small files."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath

_JOB, _PROGRESS, _REPORT, _FAILURE = "job.json", "progress.json", "report.json", "failure-{}.json"
WRITE_EVERY_S = 0.5


class Job(BaseModel):
    """One training, for processes that read everything else from the data root.

    Attributes:
        recipe: the recipe.
        seed: the training seed.
        data_root: data root.
        pairs_version: version of ``pairs`` that the training set was selected from.
        left_out: shards that were left out of that selection.
        training_set_digest: `TrainingSet.digest` of that selection.
        checkpoint: folder of the checkpoint.
        pixel_bytes: most disk space for decoded images.
        save_every: optimiser steps between two saved states.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    seed: int
    data_root: DataPath
    pairs_version: int
    left_out: tuple[str, ...] = ()
    training_set_digest: str
    checkpoint: DataPath
    pixel_bytes: int
    save_every: int = 100


class Said(BaseModel):
    """How far a piece of work is; ``label`` names it."""

    label: str
    done: int
    total: int


class Failure(BaseModel):
    """The error that ended a process.

    Attributes:
        rank: its number.
        kind: class of the error.
        message: the error's message.
        at: when, seconds since the epoch.
    """

    rank: int
    kind: str
    message: str
    at: float


class JobFolder:
    """The files of a job, in a folder that all its processes see."""

    def __init__(self, path: Path) -> None:
        """Name the folder."""
        self.path = path

    @classmethod
    def beside(cls, checkpoint: Path) -> Self:
        """Return the folder of the job that makes a checkpoint."""
        return cls(checkpoint / "processes")

    def begin(self, job: Job) -> None:
        """Write the job, and forget what was said of an earlier one."""
        self.remove()
        self.path.mkdir(parents=True)
        write_text(self.path / _JOB, job.model_dump_json(indent=2))

    def job(self) -> Job:
        """Read the job.

        Raises:
            FileNotFoundError: there is none; the message says how one is started.
        """
        file = self.path / _JOB
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} does not exist: the run that materializes clip_checkpoints writes it. "
                "Start that run first, on one machine, and then torchrun on the others."
            )
        return Job.model_validate_json(file.read_text(encoding="utf-8"))

    def say(self, said: Said) -> None:
        """Let the run that waits know how far the training is."""
        write_text(self.path / _PROGRESS, said.model_dump_json())

    def said(self) -> Said | None:
        """Return how far the training is; None before it has said something."""
        try:
            return Said.model_validate_json((self.path / _PROGRESS).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None

    def fail(self, rank: int, error: BaseException) -> None:
        """Write down why a process ends."""
        failure = Failure(rank=rank, kind=type(error).__name__, message=str(error), at=time.time())
        with suppress(OSError):  # the error itself is printed, too
            write_text(self.path / _FAILURE.format(rank), failure.model_dump_json())

    def failure(self) -> Failure | None:
        """Return the first error that ended a process; None if none has said one."""
        found = [
            Failure.model_validate_json(file.read_text(encoding="utf-8"))
            for file in self.path.glob(_FAILURE.format("*"))
        ]
        return min(found, key=lambda failure: failure.at, default=None)

    def finish(self, report: str) -> None:
        """Leave the report of a finished training, as JSON."""
        write_text(self.path / _REPORT, report)

    def report(self) -> str | None:
        """Return the report; None if the training has not finished."""
        file = self.path / _REPORT
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def remove(self) -> None:
        """Delete the folder."""
        if os.path.lexists(self.path):
            shutil.rmtree(self.path)
