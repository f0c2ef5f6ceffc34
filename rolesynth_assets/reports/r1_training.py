"""What the catalogue shows of an R1 training: curves, sample replies, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.pictures.markdown import image
from rolesynth_assets.r1.charts import training_curves
from rolesynth_assets.reports.r1 import STAND_IN, rollouts_markdown

if TYPE_CHECKING:
    from rolesynth_assets.r1.training.train import R1Report


def training_metadata(report: R1Report) -> dict[str, object]:
    """Return curves, sample replies and numbers; an untrained base has numbers alone."""
    made, log = report.provenance, report.log
    found: dict[str, object] = {
        "steps": made.steps,
        "items": made.items,
        "domains": made.domains,
        "dropped": made.dropped,
        "seconds": report.seconds,
        "seconds_per_step": report.seconds_per_step,
        "resumed_from": report.resumed_from,
        "device": made.device,
        "model": f"{made.model}{' - embedded stand-in' if made.stand_in else ''}",
        "weights_digest": made.weights_digest,
        "data_digest": made.data_digest,
        "dagster/uri": str(report.place),
    }
    if made.stand_in:
        found["stand_in"] = STAND_IN
    if log:
        curves = training_curves(log, title=f"{made.recipe}, seed {made.seed}")
        last = log[-1]
        found |= {
            "curves": image(curves, "reward, KL and reply length by step"),
            "first_reward": log[0].reward,
            "final_reward": last.reward,
            "final_accuracy": last.accuracy,
            "final_format": last.format,
            "final_length": last.length,
            **({} if last.kl is None else {"final_kl": last.kl}),
        }
    if report.rollouts:
        found["rollouts"] = rollouts_markdown(report.rollouts)
    return found
