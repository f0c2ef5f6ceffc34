"""The gradients of a first step and the losses of three, in one process or in several."""

import os
from pathlib import Path

import torch

from rolesynth_assets.clip import train as training
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.ranks.group import ALONE, joined_ranks
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets_tests.clip.conftest import make_world
from rolesynth_assets_tests.clip.image_readers import in_memory
from rolesynth_assets_tests.clip.tiny_models import tiny_vit

CASES = {
    "batch norm": {"model": "rolesynth-nano"},
    "micro-batches": {"schedule": {"steps": 3, "batch_images": 7, "micro_batch": 2}},
    "infonce": {"loss": "infonce", "layout": "square"},
}
"""Recipes with ragged batches: 7 images of one to three captions each."""


def recipe(changes, folder) -> Recipe:
    fields = {
        "name": "tiny",
        "description": "A recipe for tests.",
        "role_set": "roles5",
        "captions_per_image": 3,
        "model": tiny_vit(folder),
        "optimizer": {"lr": 2e-3},
        "schedule": {"steps": 3, "batch_images": 7},
    }
    return Recipe.model_validate({**fields, **changes})


def gradients(ranks, folder) -> dict[str, torch.Tensor]:
    """Return gradients, losses and batch statistics of each case in float64."""
    rows, images = make_world()
    data, found = TrainingSet.from_rows(rows, in_memory(images)), {}
    for case, changes in CASES.items():
        torch.manual_seed(3 + ranks.rank)  # process 0 gives its weights to the others
        place = torch.device("cpu")
        run = training._prepare(recipe(changes, folder), data, 3, place, None, ranks)
        module = run.model.module.double()
        plain = run.features._normalise
        run.features._normalise = lambda pixels, plain=plain: plain(pixels).double()
        losses = []
        for step, (batch, pixels, tokens) in enumerate(training._inputs(run, 0, 3)):
            losses.append(training._step(run, step, batch, pixels, tokens).loss)
            for name, parameter in module.named_parameters() if step == 0 else ():
                assert parameter.grad is not None, name
                found[f"{case}/{name}"] = parameter.grad.clone()
        found[f"{case}/losses"] = torch.tensor(losses, dtype=torch.float64)
        for name, buffer in module.named_buffers():
            if "running" in name:
                found[f"{case}/{name}"] = buffer.clone()
        run.pixels.close()
    return found


def write_gradients(rank: int, count: int, port: str, out: Path) -> None:
    """Write the gradients of one process of several; with a count of 1 it is alone."""
    torch.set_num_threads(1)
    if count == 1:
        torch.save(gradients(ALONE, out.parent), out)
        return
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    with joined_ranks() as ranks:
        folder = out.parent / str(rank)
        folder.mkdir()
        torch.save(gradients(ranks, folder), out)
