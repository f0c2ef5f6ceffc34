"""What a job that brings partitions up to date reports: what was made, spent, failed and left."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from rolesynth_assets.counted import counted

if TYPE_CHECKING:
    from rolesynth_assets.lineage.refresh.rematerialize import Fixed, Limits


class RefreshLimits(dg.Config):
    """When a job ends; what is left is listed and comes with the next one."""

    max_model_calls: int = Field(200_000, description="Calls of captioner, judge and collective.")
    max_cost: float | None = Field(
        None, description="Money, by the project's prices; `max_refresh_cost` if it is not given."
    )
    max_partitions: int = Field(10_000, description="Partitions of all assets.")
    attempts: int = Field(2, description="Runs of a partition that fails.")

    def limits(self, max_refresh_cost: float | None) -> "Limits":
        """Return them with the project's cap where no cost is given."""
        from rolesynth_assets.lineage.refresh.rematerialize import Limits

        cap = max_refresh_cost if self.max_cost is None else self.max_cost
        return Limits(self.max_partitions, self.max_model_calls, cap, self.attempts)


def outcome(done: "Fixed", tags: Mapping[str, str], attempts: int) -> dg.Output[None]:
    """Return the numbers as the output's metadata.

    Raises:
        Failure: partitions failed; all others were made.
    """
    metadata = {
        **tags,
        "rolesynth/made": len(done.made),
        **done.spent.metadata,
        "rolesynth/failed": dg.MetadataValue.json({str(c): why for c, why in done.failed.items()}),
        "rolesynth/left": dg.MetadataValue.json([str(cell) for cell in done.left]),
        "rolesynth/ended": done.ended or "nothing more was due",
        "rolesynth/warnings": dg.MetadataValue.json(done.warnings),
    }
    if done.failed:
        raise dg.Failure(
            f"{counted(len(done.failed), 'partition')} failed {counted(attempts, 'time')}; all "
            "others were made. "
            "`rolesynth stale --why` shows what still depends on them.",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.Output(None, metadata=metadata)
