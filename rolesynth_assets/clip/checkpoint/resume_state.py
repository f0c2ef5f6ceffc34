"""The saved state of an unfinished run, from which a killed run resumes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from rolesynth_assets.clip.checkpoint.files import STATE, LossPoint
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.recipe import Recipe, init_path
from rolesynth_assets.clip.weights_file import FILES
from rolesynth_assets.files.atomic_files import write_bytes
from rolesynth_assets.store.digests import digest, file_digest


@dataclass
class RunState:
    """The progress of a run.

    Attributes:
        fingerprint: identifies recipe, training set and seed; a state of another run is never used.
        step: number of optimiser steps so far.
        history: one point per step so far.
    """

    fingerprint: str
    step: int = 0
    history: list[LossPoint] = field(default_factory=list)


def run_fingerprint(recipe: Recipe, training_set: TrainingSet, seed: int) -> str:
    """Return a digest that identifies a training, so that no other training resumes its state."""
    return digest("run", recipe.digest, training_set.digest, seed, init_digest(recipe))


def init_digest(recipe: Recipe) -> str:
    """Return the sha256 of the weights file that a recipe starts from; empty if it has none.

    Of a folder, it is that of the file which is read there.
    """
    path = init_path(recipe)
    if path is not None and path.is_dir():
        path = next((path / name for name in FILES if (path / name).is_file()), None)
    return file_digest(path) if path is not None and path.is_file() else ""


def save_state(folder: Path, state: RunState, module: Any, optimizer: Any) -> None:
    """Write the run's state, weights, optimiser and random state in one atomic step.

    Batches and learning rate are functions of the step number and need no saving.
    """
    buffer = io.BytesIO()
    torch.save(
        {
            "fingerprint": state.fingerprint,
            "step": state.step,
            "history": [point.model_dump() for point in state.history],
            "module": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "cpu_random": torch.get_rng_state(),
            # that of the training's own GPU; another machine may have fewer of them
            "cuda_random": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
        },
        buffer,
    )
    write_bytes(folder / STATE, buffer.getbuffer())


def load_state(folder: Path, fingerprint: str, module: Any, optimizer: Any) -> RunState:
    """Restore module, optimiser and random state; return a fresh state if there is none to restore.

    A state of another recipe, training set or seed is ignored, and overwritten by the next save.
    """
    path = folder / STATE
    if not path.is_file():
        return RunState(fingerprint)
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["fingerprint"] != fingerprint:
        return RunState(fingerprint)
    module.load_state_dict(saved["module"])
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["cpu_random"])
    if saved["cuda_random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(saved["cuda_random"][0])
    history = [LossPoint.model_validate(point) for point in saved["history"]]
    return RunState(fingerprint, saved["step"], history)
