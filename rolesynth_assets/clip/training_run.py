"""A training in this process, or in as many as the settings and the machine ask for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.ranks.job import Job, JobFolder
from rolesynth_assets.clip.ranks.launch import run_on_ranks
from rolesynth_assets.clip.ranks.settings import TrainingSettings
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.progress import reporting

if TYPE_CHECKING:
    from rolesynth_assets.clip.data.batches import TrainingSet
    from rolesynth_assets.clip.ranks.group import Ranks
    from rolesynth_assets.clip.train import TrainReport


def trained(settings: TrainingSettings, job: Job, data: TrainingSet) -> TrainReport:
    """Train one model and leave a finished checkpoint; see `rolesynth_assets.clip.train.train`.

    Args:
        settings: how many processes.
        job: the training.
        data: its training set.

    Raises:
        TrainingProcessError: a process of several ended with an error or was killed.
        InputError: several processes were asked for, and the checkpoint is in a bucket.
    """
    import torch

    from rolesynth_assets.clip.data.batches import BatchPlan
    from rolesynth_assets.clip.ranks.group import ALONE
    from rolesynth_assets.clip.train import TrainReport

    batch = BatchPlan(data, job.recipe, job.seed).batch_size
    processes = settings.count(torch.cuda.device_count(), batch)
    if isinstance(job.checkpoint, ObjectPath):
        _only_one(settings, processes)
    elif processes > 1 or settings.torchrun:
        folder = JobFolder.beside(job.checkpoint)
        folder.begin(job)
        try:
            report = run_on_ranks(folder, processes, settings.torchrun)
        finally:
            folder.remove()
        return TypeAdapter(TrainReport).validate_json(report)
    return train_job(job, data, ALONE)


def train_job(job: Job, data: TrainingSet, ranks: Ranks) -> TrainReport:
    """Do a job in this process, which is alone or one of several; it raises what `train` does."""
    from rolesynth_assets.clip.train import train

    advance = reporting(f"training {job.recipe.name} seed {job.seed}")
    return train(
        job.recipe,
        data,
        job.checkpoint,
        job.seed,
        progress=lambda done, total, _: advance(done, total),
        save_every=job.save_every,
        kept=InputCache(job.data_root, job.pixel_bytes),
        ranks=ranks,
    )


def _only_one(settings: TrainingSettings, processes: int) -> None:
    """Say that a checkpoint in a bucket is trained by one process."""
    if settings.torchrun or settings.processes not in ("auto", 1):
        raise InputError(
            "With the data root in a bucket, one process trains a CLIP model as yet: several need "
            "one folder for its states. Leave `training` out of rolesynth.yaml, or set "
            "ROLESYNTH_DATA to a folder that all of them see."
        )
    if processes > 1:
        logging.getLogger("rolesynth").warning(
            "the data root is in a bucket, so one process trains; %d GPUs could", processes
        )
