"""Training of a policy with GRPO from a recipe and its questions (R1-SyntheticVL).

The same code trains the nano MLLM on a CPU and Qwen2.5-VL-7B on GPUs.
"""

from __future__ import annotations

import importlib.metadata
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import WorkingFolder, working_folder
from rolesynth_assets.r1.data import NO_DATA, TrainingData, to_dataset
from rolesynth_assets.r1.recipe import R1Recipe, Training
from rolesynth_assets.r1.training.checkpoint import (
    LOG,
    PROVENANCE,
    RECIPE,
    ROLLOUTS,
    Provenance,
    Rollout,
    StepLog,
    list_weights,
    weights_digest,
    write_lines,
)
from rolesynth_assets.r1.training.policy import (
    Policy,
    load_policy,
    load_processor,
    source_digest,
)
from rolesynth_assets.r1.training.rollouts import compared, sample_items, sample_replies
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from rolesynth_assets.progress import StepProgress

UNFINISHED = "unfinished"
"""Folder of the saved states of an unfinished training."""
_LIBRARIES = ("torch", "transformers", "trl", "accelerate")


@dataclass(frozen=True)
class R1Report:
    """The report of a training.

    Attributes:
        folder: folder of this machine with the checkpoint.
        place: where the checkpoint is.
        provenance: provenance of the checkpoint.
        log: one row per optimiser step, including earlier runs of the same training.
        rollouts: sample replies before and after the training.
        resumed_from: steps that were already done when this call began.
        seconds: wall time of the steps of this call.
        seconds_per_step: seconds per step of this call; 0 if it made none.
    """

    folder: Path
    place: DataPath
    provenance: Provenance
    log: tuple[StepLog, ...]
    rollouts: tuple[Rollout, ...]
    resumed_from: int
    seconds: float
    seconds_per_step: float


def train(
    recipe: R1Recipe,
    data: TrainingData,
    out_dir: DataPath,
    seed: int,
    *,
    progress: StepProgress | None = None,
) -> R1Report:
    """Train one policy and write a finished checkpoint to `out_dir`.

    On a CPU, the same recipe, data, seed, library versions and number of threads give the same
    weights, whether or not the run was interrupted: the state is saved every `recipe.save_every`
    steps, and a killed run resumes from there when the function is called again. The random state
    of the process is restored. A recipe without training writes a checkpoint without weights.

    Args:
        recipe: settings of the training.
        data: questions, see `data.problem_data` and `data.seed_data`; `NO_DATA` for no training.
        out_dir: the checkpoint folder, made if missing; one per recipe and seed. In a bucket, an
            earlier checkpoint stays until this one is finished.
        seed: seed of the order of questions and of the rollouts.
        progress: called after every step with steps done, all steps and the reward.

    Raises:
        PolicyError: the model cannot be loaded.
        ValueError: there is nothing to train on.
    """
    if recipe.training is not Training.NONE and not data.items:
        seeds_only = recipe.training is Training.SEEDS_ONLY
        source = "cads_seeds" if seeds_only else "synthetic_problems"
        raise ValueError(
            f"R1 recipe {recipe.name!r} (training: {recipe.training}) has no question to train on; "
            f"dropped, by reason: {dict(data.dropped)}. Materialize {source} for a domain that "
            "gives some first."
        )
    with working_folder(out_dir) as work:
        (work.path / PROVENANCE).unlink(missing_ok=True)  # from here on the folder is unfinished
        if recipe.training is Training.NONE:
            for stale in list_weights(work.path):
                stale.unlink()
            report = _finish(recipe, NO_DATA, work.path, seed, [], [], 0, 0.0, "cpu")
        else:
            with _random_state_kept():
                report = _train(recipe, data, work, seed, progress)
        return replace(report, folder=work.finish(), place=out_dir)


def _train(
    recipe: R1Recipe,
    data: TrainingData,
    work: WorkingFolder,
    seed: int,
    progress: StepProgress | None,
) -> R1Report:
    from rolesynth_assets.r1.training.trl_trainer import make_trainer, step_logs

    policy, out_dir = load_policy(recipe.model, recipe.revision), work.path
    working = out_dir / UNFINISHED
    state = _last_state(working, _fingerprint(recipe, data, seed))
    samples = sample_items(data)
    dataset = to_dataset(data.items, policy, recipe.batch)
    trainer = make_trainer(recipe, policy, dataset, working, seed, progress, work.save)
    before = sample_replies(recipe, policy, samples)  # the trainer has put the model on its device
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(state) if state else None)
    seconds = time.monotonic() - started
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if recipe.lora_rank is not None:
        model = model.merge_and_unload()
    trained = Policy(model, policy.processor, policy.side)
    rollouts = compared(samples, before, sample_replies(recipe, trained, samples))
    _save(trained, recipe, out_dir)
    log = step_logs(trainer.state.log_history)
    resumed_from = int(state.name.rpartition("-")[2]) if state else 0
    device = trainer.accelerator.device.type
    report = _finish(recipe, data, out_dir, seed, log, rollouts, resumed_from, seconds, device)
    shutil.rmtree(working, ignore_errors=True)
    return report


def _save(policy: Policy, recipe: R1Recipe, out_dir: Path) -> None:
    for stale in list_weights(out_dir):
        stale.unlink()
    policy.model.save_pretrained(out_dir)
    # a fresh processor, because a used one would save its padding with the tokenizer
    load_processor(recipe.model, recipe.revision).save_pretrained(out_dir)


def _finish(
    recipe: R1Recipe,
    data: TrainingData,
    out_dir: Path,
    seed: int,
    log: list[StepLog],
    rollouts: list[Rollout],
    resumed_from: int,
    seconds: float,
    device: str,
) -> R1Report:
    write_text(out_dir / RECIPE, recipe.model_dump_json(indent=2))
    write_lines(out_dir / LOG, log)
    write_lines(out_dir / ROLLOUTS, rollouts)
    base = source_digest(recipe.model, recipe.revision)
    provenance = Provenance(
        recipe=recipe.name,
        recipe_digest=recipe.digest,
        seed=seed,
        training=recipe.training,
        model=recipe.model,
        model_digest=base,
        data_digest=data.digest,
        items=len(data.items),
        domains=data.domains,
        dropped=dict(data.dropped),
        steps=len(log),
        device=device,
        weights_digest=weights_digest(out_dir) if list_weights(out_dir) else base,
        stand_in=recipe.stand_in,
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )
    write_text(out_dir / PROVENANCE, provenance.model_dump_json(indent=2))
    made = len(log) - resumed_from
    return R1Report(
        folder=out_dir,
        place=out_dir,
        provenance=provenance,
        log=tuple(log),
        rollouts=tuple(rollouts),
        resumed_from=resumed_from,
        seconds=seconds,
        seconds_per_step=seconds / made if made else 0.0,
    )


def _fingerprint(recipe: R1Recipe, data: TrainingData, seed: int) -> str:
    base = source_digest(recipe.model, recipe.revision)
    return digest("r1 run", recipe.digest, data.digest, seed, base)


def _last_state(working: Path, fingerprint: str) -> Path | None:
    """Return the last saved state of this same training; remove the states of another one."""
    mark = working / "fingerprint"
    if mark.is_file() and mark.read_text(encoding="utf-8") == fingerprint:
        states = [p for p in working.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
        return max(states, key=lambda p: int(p.name.rpartition("-")[2]), default=None)
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    write_text(mark, fingerprint)
    return None


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the random states of Python, numpy and torch, all of which the trainer seeds."""
    import numpy as np
    import torch

    python: Any = random.getstate()
    array: Any = np.random.get_state()
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)
