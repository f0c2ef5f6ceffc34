"""The training loop of CLIP on a recipe's pairs."""

from __future__ import annotations

import importlib.metadata
import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rolesynth_assets.clip.checkpoint import save_load
from rolesynth_assets.clip.checkpoint.files import (
    MANIFEST,
    STATE,
    LossPoint,
    Manifest,
    read_manifest,
)
from rolesynth_assets.clip.checkpoint.resume_state import (
    RunState,
    init_digest,
    load_state,
    run_fingerprint,
    save_state,
)
from rolesynth_assets.clip.data.batches import Batch, BatchPlan, TrainingSet
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixels import PixelSource
from rolesynth_assets.clip.data.tokens import TokenSource
from rolesynth_assets.clip.features.batch_features import BatchFeatures
from rolesynth_assets.clip.features.fused_blocks import WORTH_COMPILING, fused_blocks
from rolesynth_assets.clip.features.gradient_caching import require_independent_rows
from rolesynth_assets.clip.loss import LOSS_FUNCTIONS
from rolesynth_assets.clip.model import ClipModel, build_model, freeze_positions
from rolesynth_assets.clip.optim import learning_rate, make_optimizer
from rolesynth_assets.clip.ranks.group import ALONE, Ranks
from rolesynth_assets.clip.recipe import Precision, Recipe
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import WorkingFolder, working_folder
from rolesynth_assets.parallel.lookahead import in_order
from rolesynth_assets.progress import StepProgress

REFERENCE_IMAGES = 8  # images whose logits are stored for the reload check


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite; the message names the step and the batch."""


class BatchMemoryError(RuntimeError):
    """A batch does not fit in the device's memory; the message says what to lower."""


@dataclass(frozen=True)
class TrainReport:
    """The result of a training run.

    Attributes:
        folder: folder of this machine with the checkpoint.
        place: where the checkpoint is.
        manifest: its provenance.
        losses: one point per optimiser step, including earlier runs of the same training.
        resumed_from: number of steps that were finished before this call.
        steps_per_epoch: optimiser steps of one epoch in the recipe's layout.
        seconds: wall time of the steps of this call.
        images_per_second: image rows encoded per second in this call.
        captions: distinct captions that this call trained on.
        captions_cut: those of them that are longer than the context, so that their end was cut.
    """

    folder: Path
    place: DataPath
    manifest: Manifest
    losses: tuple[LossPoint, ...]
    resumed_from: int
    steps_per_epoch: int
    seconds: float
    images_per_second: float
    captions: int = 0
    captions_cut: int = 0


@dataclass(frozen=True)
class _Run:
    """The parts of a run that do not change."""

    recipe: Recipe
    plan: BatchPlan
    model: ClipModel
    optimizer: torch.optim.AdamW
    pixels: PixelSource
    tokens: TokenSource
    features: BatchFeatures
    device: torch.device
    autocast: bool
    ranks: Ranks


def train(
    recipe: Recipe,
    training_set: TrainingSet,
    out_dir: DataPath,
    seed: int,
    *,
    progress: StepProgress | None = None,
    save_every: int = 100,
    device: str | None = None,
    kept: InputCache | None = None,
    ranks: Ranks = ALONE,
) -> TrainReport:
    """Train one model (the paper's step 5) and leave a finished checkpoint in ``out_dir``.

    On a CPU the same recipe, training set, seed, library versions and number of threads give
    exactly the same weights, whether or not the run was interrupted. The state is saved every
    ``save_every`` steps, and the next call resumes a killed run from there. The process's random
    state is restored at the end.

    Several processes train the same batches together and leave the model of one process, up to
    rounding: each encodes its share of a batch, and all take the same steps (see
    `rolesynth_assets.clip.ranks`). A killed run may be resumed by another number of processes.

    Args:
        recipe: model, objective, layout and schedule.
        training_set: rows and images.
        out_dir: the checkpoint folder, created if missing; one per recipe and seed. In a bucket,
            an earlier checkpoint stays until this one is finished.
        seed: seed of the weights, the shuffles and the drawn captions.
        progress: called after every step.
        save_every: optimiser steps between two saved states.
        device: torch device; by default a GPU if there is one.
        kept: where decoded images and tokens are kept for other trainings and a resumed one.
        ranks: the place of this process among those that train this model.

    Returns:
        The report of the run.

    Raises:
        ModelError: the recipe's model cannot be built.
        TrainingSetError: an image is missing or cannot be decoded.
        NonFiniteLossError: the loss became NaN or infinite; the last saved state is kept.
        BatchMemoryError: a batch does not fit in the device's memory.
        RanksError: the processes cannot train this together.
        ValueError: the schedule has no steps.
    """
    place = torch.device(device) if device else ranks.device()
    cuda = [place] if place.type == "cuda" else []
    with working_folder(out_dir) as work, torch.random.fork_rng(devices=cuda):
        if ranks.leads:
            (work.path / MANIFEST).unlink(missing_ok=True)  # from here on the folder is unfinished
        torch.manual_seed(seed)
        run = _prepare(recipe, training_set, seed, place, kept, ranks)
        try:
            report = _run(run, work, progress, save_every)
        finally:
            run.pixels.close()
        return replace(report, folder=work.finish(), place=out_dir)


def _prepare(
    recipe: Recipe,
    training_set: TrainingSet,
    seed: int,
    place: torch.device,
    kept: InputCache | None,
    ranks: Ranks,
) -> _Run:
    if place.type == "cuda":  # parts of many sizes would leave holes in its memory
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    plan = BatchPlan(training_set, recipe, seed)
    if plan.total_steps < 1 and recipe.schedule.steps != 0:
        raise ValueError(f"Recipe {recipe.name!r} schedules no steps.")
    model = build_model(recipe)
    if recipe.schedule.micro_batch is not None:
        require_independent_rows(model.module, recipe.model)
    model.module.to(place).train()
    ranks.ready(model.module, plan.batch_size)
    freeze_positions(model.module, recipe.frozen_positions)
    with ranks.one_a_machine_first():
        tokens = TokenSource(training_set, model.tokenizer, kept)
        pixels = PixelSource(training_set, model.preprocess, kept=kept, trainings=ranks.local_count)
    wide = recipe.precision is Precision.BF16 and place.type == "cuda"
    autocast = wide and torch.cuda.is_bf16_supported()
    micro_batch = recipe.schedule.micro_batch
    return _Run(
        recipe=recipe,
        plan=plan,
        model=model,
        optimizer=make_optimizer(model.module, recipe.optimizer),
        pixels=pixels,
        tokens=tokens,
        features=BatchFeatures(
            model.module, pixels.normalise, place, micro_batch, autocast, ranks.several
        ),
        device=place,
        autocast=autocast,
        ranks=ranks,
    )


def _run(
    run: _Run, work: WorkingFolder, progress: StepProgress | None, save_every: int
) -> TrainReport:
    out_dir = work.path
    fingerprint = run_fingerprint(run.recipe, run.plan.training_set, run.plan.seed)
    state = load_state(out_dir, fingerprint, run.model.module, run.optimizer)
    resumed_from, total = state.step, run.plan.total_steps
    run.ranks.agree({"the training": fingerprint, "the step to go on from": resumed_from})
    started = time.monotonic()
    with _fast(run, total - resumed_from):
        for batch, pixels, tokens in _inputs(run, resumed_from, total):
            state.history.append(_step(run, state.step, batch, pixels, tokens))
            state.step += 1
            if run.ranks.leads and state.step % save_every == 0 and state.step < total:
                save_state(out_dir, state, run.model.module, run.optimizer)
                work.save()
            if run.ranks.leads and progress is not None:
                progress(state.step, total, state.history[-1].loss)
    seconds = time.monotonic() - started
    if run.ranks.leads:
        _finish(run, state, out_dir)
    run.ranks.wait()
    rows = (total - resumed_from) * run.plan.batch_size
    return TrainReport(
        folder=out_dir,
        place=out_dir,
        manifest=read_manifest(out_dir),
        losses=tuple(state.history),
        resumed_from=resumed_from,
        steps_per_epoch=run.plan.steps_per_epoch,
        seconds=seconds,
        images_per_second=rows / seconds if seconds > 0 else 0.0,
        captions=run.tokens.tokenized,
        captions_cut=run.tokens.cut,
    )


def _step(run: _Run, step: int, batch: Batch, pixels: Tensor, tokens: Tensor) -> LossPoint:
    """Make one optimiser step and return the loss before it."""
    schedule = run.recipe.schedule
    rate = learning_rate(step, run.plan.total_steps, schedule.warmup_steps, run.recipe.optimizer.lr)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    with _out_of_memory_told(run, batch):
        loss, scale = _fitting_gradients(run, step, batch, pixels, tokens)
        run.optimizer.step()
    epoch = step // run.plan.steps_per_epoch
    return LossPoint(step=step, epoch=epoch, loss=loss, learning_rate=rate, logit_scale=scale)


def _fitting_gradients(
    run: _Run, step: int, batch: Batch, pixels: Tensor, tokens: Tensor
) -> tuple[float, float]:
    """Return what `_gradients` returns, with fewer kept activations if memory runs out."""
    while True:
        try:
            return _gradients(run, step, batch, pixels, tokens)
        except torch.OutOfMemoryError as error:
            failure = error.with_traceback(None)  # its frames hold the activations
        if run.ranks.several:  # the others are already waiting for what this one has not
            raise failure
        if not run.features.memory.keep_fewer():
            raise failure


def _gradients(
    run: _Run, step: int, batch: Batch, pixels: Tensor, tokens: Tensor
) -> tuple[float, float]:
    """Leave the gradients of a batch in the parameters; return its loss and 1 / tau."""
    run.optimizer.zero_grad(set_to_none=True)
    scale = run.model.module.logit_scale.exp()  # learned, not clamped
    loss = _loss(run, batch, *run.features.encode(pixels, tokens), scale)
    # read before the backward pass: nothing waits for a GPU at the end of a step
    value, inverse_tau = torch.stack([run.ranks.total(loss), scale.detach()]).tolist()
    if not math.isfinite(value):
        _refuse(run, step, step // run.plan.steps_per_epoch, batch, value)
    loss.backward()
    run.ranks.sum_gradients(run.model.module)
    return value, inverse_tau


def _fast(run: _Run, steps: int) -> AbstractContextManager[None]:
    """Fuse the blocks of the model on a GPU; on a CPU they are as fast as they are."""
    if run.device.type != "cuda":
        return nullcontext()
    parameters = sum(p.numel() for p in run.model.module.parameters())
    compiled = parameters * steps * run.plan.batch_size >= WORTH_COMPILING
    return fused_blocks(run.model.module, compiled)


@contextmanager
def _out_of_memory_told(run: _Run, batch: Batch) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        schedule = run.recipe.schedule
        raise BatchMemoryError(
            f"Recipe {run.recipe.name!r}: {len(batch.images)} images and {len(batch.texts)} "
            f"captions do not fit in the memory of {run.device} ({error}). Set "
            f"schedule.micro_batch (now {schedule.micro_batch or 'the whole batch'}) to fewer rows "
            "and run again: the training is the same, with at most one more forward pass a step."
        ) from error


def _loss(run: _Run, batch: Batch, images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
    owners, described = (
        torch.from_numpy(np.array(rows)).to(run.device) for rows in (batch.images, batch.owners)
    )
    sizes = len(batch.images), len(batch.texts)
    images, texts = run.ranks.features(images, texts, sizes)
    share = run.ranks.share(*sizes) if run.ranks.several else None
    return LOSS_FUNCTIONS[run.recipe.loss](images, texts, scale, owners, described, share)


def _refuse(run: _Run, step: int, epoch: int, batch: Batch, value: float) -> None:
    names = [run.plan.training_set.image_ids[i] for i in batch.images[:3]]
    raise NonFiniteLossError(
        f"Recipe {run.recipe.name!r}, seed {run.plan.seed}: the loss is {value} at step {step} "
        f"(epoch {epoch}, batch {step % run.plan.steps_per_epoch} of it: {len(batch.images)} "
        f"images from {names[0]!r}, {len(batch.texts)} captions). Lower optimizer.lr or lengthen "
        "schedule.warmup_steps; if the first step fails, check the weights of init."
    )


def _inputs(run: _Run, first: int, total: int) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Return batches with this process's pixels and tokens, the next one loaded during a step."""

    def make(step: int) -> tuple[Batch, Tensor, Tensor]:
        batch = run.plan.batch(step)
        share = run.ranks.share(len(batch.images), len(batch.texts))
        run.tokens.count(batch.texts)
        pixels = run.pixels.batch(batch.images[share.images])
        tokens = run.tokens.batch(batch.texts[share.texts])
        if run.device.type == "cuda":
            pixels = pixels.pin_memory()  # so that its copy does not stop the thread
        return batch, pixels, tokens

    return in_order(make, range(first, total), at_once=2, threads=1)


def _finish(run: _Run, state: RunState, out_dir: Path) -> None:
    """Write the finished checkpoint, the manifest last, and drop the saved state."""
    module, data = run.model.module.to("cpu").eval(), run.plan.training_set
    weights_digest = save_load.save_weights(out_dir, module)
    save_load.save_rest(out_dir, run.model, run.recipe, state.history)
    some = np.arange(min(REFERENCE_IMAGES, len(data.image_ids)))
    save_load.save_reference(
        out_dir, run.model, run.pixels.batch(some), run.tokens.batch(data.offsets[some])
    )
    manifest = Manifest(
        recipe=run.recipe.name,
        recipe_digest=run.recipe.digest,
        seed=run.plan.seed,
        training_set_digest=data.digest,
        init_digest=init_digest(run.recipe),
        pairs=data.pairs,
        images=len(data.image_ids),
        steps=state.step,
        device=run.device.type,
        precision="bf16" if run.autocast else "float32",
        weights_digest=weights_digest,
        processes=run.ranks.count,
        versions={p: importlib.metadata.version(p) for p in ("torch", "open_clip_torch")},
    )
    save_load.save_manifest(out_dir, manifest)
    (out_dir / STATE).unlink(missing_ok=True)
