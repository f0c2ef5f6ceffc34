"""The processes that train one model together, as one of them sees them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rolesynth_assets.clip.ranks.batch_norm import normalise_over_processes
from rolesynth_assets.clip.ranks.collectives import gather_rows, sum_gradients
from rolesynth_assets.clip.ranks.share import Share, rows_of, share_of, size

PATIENCE = timedelta(hours=2)
"""Longest wait for another process: it may decode all images of a machine first."""


class RanksError(RuntimeError):
    """The processes of a training cannot work together; the message says why."""


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train one model; by default it is alone.

    Attributes:
        rank: its number; process 0 leads, which means that it writes the checkpoint.
        count: number of processes on all machines.
        local_rank: its number on its machine.
        local_count: number of processes on its machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoint, state and progress."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are other processes."""
        return self.count > 1

    def device(self) -> torch.device:
        """Return the GPU of this process, or the CPU if there are no GPUs."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.local_rank) if self.several else torch.device("cuda")

    def share(self, images: int, texts: int) -> Share:
        """Return this process's part of a batch."""
        return share_of(self.rank, self.count, images, texts)

    def ready(self, module: nn.Module, batch_size: int) -> None:
        """Make the model that of one process over all rows, with the weights of process 0.

        Raises:
            RanksError: a process would have no image.
        """
        if not self.several:
            return
        if batch_size < self.count:
            raise RanksError(
                f"A batch of {batch_size} images has no rows for each of {self.count} processes. "
                "Set training.processes in rolesynth.yaml to fewer, or raise "
                "schedule.batch_images."
            )
        normalise_over_processes(module)
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)

    def features(self, images: Tensor, texts: Tensor, sizes: tuple[int, int]) -> tuple[Tensor, ...]:
        """Gather the features of a batch, images and captions in one exchange.

        Args:
            images: (n, D) features of this process's images.
            texts: (m, D) features of its captions.
            sizes: images and captions of the whole batch, N and M.

        Returns:
            (N, D) and (M, D) features, in the order of the batch.
        """
        if not self.several:
            return images, texts
        counts = [[size(rows_of(r, self.count, n)) for n in sizes] for r in range(self.count)]
        rows = gather_rows(torch.cat([images, texts]), [sum(both) for both in counts])
        parts = rows.split([n for both in counts for n in both])
        return torch.cat(parts[::2]), torch.cat(parts[1::2])

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of a value over all processes, without a gradient."""
        value = value.detach()
        if self.several:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def sum_gradients(self, module: nn.Module) -> None:
        """Make the gradients of all processes those of the whole batch."""
        if self.several:
            sum_gradients(module.parameters())

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Wait for all processes and compare what each of them is about to train.

        Raises:
            RanksError: two processes differ in one of the facts.
        """
        if not self.several:
            return
        everybody: list[Any] = [None] * self.count
        dist.all_gather_object(everybody, dict(facts))
        for rank, other in enumerate(everybody):
            for name, value in everybody[0].items():
                if other[name] != value:
                    raise RanksError(
                        f"The processes train different things: {name} is {value!r} in process 0 "
                        f"and {other[name]!r} in process {rank}. All machines need the same data "
                        "root, project and versions."
                    )

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.several:
            dist.barrier()

    @contextmanager
    def one_a_machine_first(self) -> Iterator[None]:
        """Run a block in one process of each machine, and then in the others.

        What it stores on disk, such as decoded images, the others find.
        """
        if self.local_rank > 0:
            self.wait()
        yield
        if self.local_rank == 0:
            self.wait()


ALONE = Ranks()
"""One process that trains by itself."""


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun has started, by the environment that it sets.

    Raises:
        RanksError: this process was not started by torchrun, or has no GPU where others have one.
    """
    try:
        rank, count, local_rank, local_count = (
            int(os.environ[name])
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
    except (KeyError, ValueError) as error:
        raise RanksError(
            f"torchrun starts this program: it sets {error}, which is not set."
        ) from error
    gpus = torch.cuda.device_count()
    if gpus and local_rank >= gpus:
        raise RanksError(
            f"{local_count} processes were started on a machine with {gpus} GPUs; each needs its "
            "own. Lower training.processes in rolesynth.yaml, or --nproc-per-node."
        )
    if gpus:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if gpus else "gloo", timeout=PATIENCE)
    yield Ranks(rank, count, local_rank, local_count)
    dist.destroy_process_group()  # not after an error: it would wait for the others
