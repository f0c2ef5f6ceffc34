"""How many processes train a CLIP model; it belongs to the machine and not to the recipe."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rolesynth_assets.yaml_files import FrozenModel

LEAST_IMAGES = 32
"""Images of a batch below which a further GPU is not worth its start."""


class TrainingSettings(FrozenModel):
    """How CLIP is trained on this machine, or on several; the model is the same up to rounding.

    Attributes:
        processes: processes that train one model together: `auto` is one for each GPU, as far as
            each gets 32 images of a batch, and one on a CPU.
        torchrun: the command that starts the processes on several machines, such as
            `[torchrun, --nnodes=2, --nproc-per-node=8, --rdzv-backend=c10d,
            --rdzv-endpoint=HOST:29400]`; module and arguments are added to it.
    """

    processes: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    torchrun: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.torchrun and self.processes != "auto":
            raise ValueError(
                "give processes or torchrun: the command says by --nproc-per-node how many "
                "processes it starts"
            )
        return self

    def count(self, gpus: int, batch_images: int) -> int:
        """Return how many processes one machine starts.

        Args:
            gpus: GPUs of the machine.
            batch_images: images in a batch.
        """
        if self.processes != "auto":
            return self.processes
        return max(1, min(gpus, batch_images // LEAST_IMAGES))
