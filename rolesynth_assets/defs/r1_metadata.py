"""What an R1 training shows of itself in Dagster: metadata, and the results of its checks."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from rolesynth_assets.defs.wiring import r1_partitions
from rolesynth_assets.defs.wiring.metadata import check_result, picture
from rolesynth_assets.defs.wiring.resources import Platform

if TYPE_CHECKING:
    from rolesynth_assets.r1.data import StoredData
    from rolesynth_assets.r1.training.train import R1Report


def training_metadata(report: "R1Report") -> dict[str, Any]:
    """Return curves, sample replies and numbers; an untrained base has numbers alone."""
    from rolesynth_assets.r1.charts import training_curves
    from rolesynth_assets.reports.r1 import STAND_IN, rollouts_markdown

    made, log = report.provenance, report.log
    found: dict[str, Any] = {
        "rolesynth/steps": made.steps,
        "rolesynth/items": made.items,
        "rolesynth/domains": dg.MetadataValue.json(made.domains),
        "rolesynth/dropped": dg.MetadataValue.json(made.dropped),
        "rolesynth/seconds": report.seconds,
        "rolesynth/seconds_per_step": report.seconds_per_step,
        "rolesynth/resumed_from": report.resumed_from,
        "rolesynth/device": made.device,
        "rolesynth/model": f"{made.model}{' - embedded stand-in' if made.stand_in else ''}",
        "rolesynth/weights_digest": made.weights_digest,
        "rolesynth/data_digest": made.data_digest,
        "dagster/uri": str(report.folder),
    }
    if made.stand_in:
        found["rolesynth/stand_in"] = STAND_IN
    if log:
        curves = training_curves(log, title=f"{made.recipe}, seed {made.seed}")
        last = log[-1]
        found |= {
            "rolesynth/curves": picture(curves, "reward, KL and reply length by step"),
            "rolesynth/first_reward": log[0].reward,
            "rolesynth/final_reward": last.reward,
            "rolesynth/final_accuracy": last.accuracy,
            "rolesynth/final_format": last.format,
            "rolesynth/final_length": last.length,
            **({} if last.kl is None else {"rolesynth/final_kl": last.kl}),
        }
    if report.rollouts:
        found["rolesynth/rollouts"] = dg.MetadataValue.md(rollouts_markdown(report.rollouts))
    return found


def training_checks(
    name: str, platform: Platform, stored: "StoredData", report: "R1Report"
) -> list[dg.AssetCheckResult]:
    """Evaluate the checks of `r1_checkpoints`; reads the benchmarks at hand and the checkpoint.

    Args:
        name: the partition, for people.
        platform: where benchmarks and tombstones are.
        stored: what was trained on.
        report: of the training.
    """
    from rolesynth_assets.images.checks import no_withdrawn_image
    from rolesynth_assets.r1 import checks
    from rolesynth_assets.r1.benchmarks.items import available, benchmark_items
    from rolesynth_assets.r1.training.rollouts import reload_replies
    from rolesynth_assets.store.tombstones import read_tombstones

    root = platform.settings.data_root
    at_hand = {
        benchmark.name: benchmark_items(benchmark, root)
        for benchmark in r1_partitions.R1_BENCHMARKS.values()
        if stored.data.items and available(benchmark, root)
    }
    withdrawn = read_tombstones(platform.warehouse)
    return [
        check_result("reward_finite", checks.reward_finite(report.log)),
        check_result("no_reward_hacking", checks.no_reward_hacking(report.log), warn=True),
        check_result("reload_reproduces", checks.reload_reproduces(*reload_replies(report.folder))),
        check_result(
            "no_benchmark_problem", checks.no_benchmark_problem(stored.data.items, at_hand)
        ),
        check_result("no_withdrawn_image", no_withdrawn_image(name, stored.image_ids, withdrawn)),
    ]
