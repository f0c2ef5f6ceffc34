"""R1: policies trained by GRPO on synthetic problems, their scores, and the page that compares."""

import dagster as dg

from rolesynth_assets.benchmarks import checks as score_checks
from rolesynth_assets.defs.wiring import conditions, freshness, partitions, r1_partitions
from rolesynth_assets.defs.wiring.pages.metadata import picture, small_table_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.images.checks import no_withdrawn_image
from rolesynth_assets.progress import reporting
from rolesynth_assets.r1 import checks

ACCURACY = ["accuracy"]
"""What the checks of scores hold against chance and baseline: the form of a reply has no chance."""


@stage(
    "r1",
    {"pytorch", "safetensors"},
    r1_partitions.recipe_by_seed,
    deps={
        "synthetic_problems": dg.AllPartitionMapping(),
        "cads_seeds": dg.AllPartitionMapping(),
        "r1_recipe_files": r1_partitions.by_recipe,
    },
    freshness_policy=freshness.MODELS,
    pool="gpu",
    checks=[
        Check(
            checks.reward_finite, "No step's reward, loss or KL was NaN or infinite.", blocking=True
        ),
        Check(
            checks.no_reward_hacking,
            "The form did not improve at the cost of the answers.",
            warn=True,
            bounds={"max_fall": "max_accuracy_fall", "window_share": "reward_window"},
        ),
        Check(
            checks.reload_reproduces,
            "The stored policy gives the replies it was saved with.",
            blocking=True,
            bounds={"min_share": "min_same_replies"},
        ),
        Check(
            checks.no_benchmark_problem,
            "No training question shows a benchmark's image.",
            blocking=True,
        ),
        Check(no_withdrawn_image, "No image that it was trained on was withdrawn.", blocking=True),
    ],
)
def r1_checkpoints(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """A policy trained by one R1 recipe with one seed: GRPO on questions with an image.

    In: the kept `problems` or the `seeds` of all domains, as the recipe says. Out: a folder with
    safetensors, recipe, log, sample replies and provenance; an untrained base has no weights of its
    own. A killed training goes on from its last saved step. Stale when: the problems, the seeds,
    the recipe or the code change.
    """
    from rolesynth_assets.r1.benchmarks.items import items_at_hand
    from rolesynth_assets.r1.data import stored_data
    from rolesynth_assets.r1.training.recorded_trainings import record_r1_training
    from rolesynth_assets.r1.training.rollouts import reload_replies
    from rolesynth_assets.r1.training.train import train
    from rolesynth_assets.reports.r1_training import training_metadata
    from rolesynth_assets.store.tombstones import read_tombstones

    partition, settings = partitions.keys(context), platform.settings
    recipe = r1_partitions.R1_RECIPES[partition["r1_recipe"]]
    seed = int(partition["r1_seed"])
    stored = stored_data(platform.store, recipe.training)
    items, folder = stored.data.items, settings.paths.r1_checkpoint(recipe.name, seed)
    advance = reporting(f"training {recipe.name} seed {seed}")
    report = train(
        recipe, stored.data, folder, seed, progress=lambda done, total, _: advance(done, total)
    )
    made = report.provenance
    item_ids = [item.item_id for item in items]
    record_r1_training(platform.small, made, item_ids, context.run_id)
    before, after = reload_replies(report.folder)
    at_hand = items_at_hand(r1_partitions.R1_BENCHMARKS, settings.data_root) if items else {}
    return Made(
        training_metadata(report),
        # the recipe is in it since it bounds the replies, which decides scores
        f"{made.weights_digest}-{made.recipe_digest[:16]}",
        facts={
            "log": report.log,
            "stored": before,
            "again": after,
            "items": items,
            "benchmarks": at_hand,
            "name": context.partition_key,
            "image_ids": stored.image_ids,
            "withdrawn": read_tombstones(platform.small),
        },
    )


@stage(
    "r1",
    {"pytorch", "lance"},
    r1_partitions.recipe_by_benchmark,
    deps={
        "r1_checkpoints": r1_partitions.all_seeds_of_recipe,
        "r1_benchmark_files": r1_partitions.by_benchmark,
    },
    freshness_policy=freshness.MODELS,
    pool="gpu",
    checks=[
        Check(
            score_checks.above_chance,
            "The accuracy is above blind guessing by more than its interval.",
            warn=True,
            bounds={"margin": "min_above_chance"},
        ),
        Check(
            score_checks.not_worse_than_baseline,
            "The accuracy is not below the baseline recipe's by more than both intervals allow.",
            warn=True,
            bounds={"tolerance": "max_below_baseline"},
        ),
    ],
)
def r1_scores(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Accuracy and form of an R1 recipe's policies on one held-out benchmark, with intervals.

    In: the policies of all seeds trained so far, the benchmark. Out: small table `r1_scores`.
    Stale when: a policy, the benchmark's definition or the code change.
    """
    from rolesynth_assets.benchmarks.recorded_scores import record_scores
    from rolesynth_assets.clip.checkpoint.files import trained_seeds
    from rolesynth_assets.r1.benchmarks.evaluate import evaluate_seed
    from rolesynth_assets.r1.benchmarks.items import benchmark_items
    from rolesynth_assets.r1.charts import accuracy_bars
    from rolesynth_assets.r1.training.checkpoint import PROVENANCE

    partition, settings = partitions.keys(context), platform.settings
    recipe = r1_partitions.R1_RECIPES[partition["r1_recipe"]]
    benchmark = r1_partitions.R1_BENCHMARKS[partition["r1_benchmark"]]
    seeds = trained_seeds(recipe, settings.paths.r1_checkpoint, PROVENANCE, "r1_checkpoints")
    items = benchmark_items(benchmark, settings.data_root)
    of_seeds = [
        evaluate_seed(
            settings.paths.r1_checkpoint(recipe.name, seed),
            items,
            benchmark.name,
            run_id=context.run_id,
            progress=reporting(f"{benchmark.name}, {recipe.name} seed {seed}"),
        )
        for seed in seeds
    ]
    found = record_scores(platform.small, "r1_scores", recipe, benchmark.name, of_seeds)
    return Made(
        {
            **small_table_metadata("r1_scores", found.scores.height, {}),
            **found.metadata(accuracy_bars),
            "items": len(items),
        },
        found.digest("r1 scores"),
        facts={**found.facts, "metrics": ACCURACY},
    )


@stage(
    "r1",
    {"markdown"},
    deps={"r1_scores": dg.AllPartitionMapping()},
    freshness_policy=freshness.MODELS,
    automation_condition=conditions.FAN_IN,
)
def r1_report(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """One page: does GRPO on the problems beat the untrained model, with intervals over seeds?

    In: `r1_scores`. Out: `reports/r1.md` and a picture. Stale when: any score changes.
    """
    from rolesynth_assets.pictures.charts import retrieval_bars
    from rolesynth_assets.r1.charts import accuracy_bars
    from rolesynth_assets.reports.r1 import write_r1_report
    from rolesynth_assets.store.digests import digest

    scores = platform.small.read("r1_scores").sort("recipe", "benchmark", "seed", "metric")
    if scores.is_empty():
        raise dg.Failure("There is no R1 score to report: materialize r1_scores first.")
    path = platform.settings.paths.report("r1")
    page = write_r1_report(path, scores, r1_partitions.R1_RECIPES)
    bars = retrieval_bars(accuracy_bars(scores), title="accuracy of R1 policies")
    return Made(
        {
            "report": dg.MetadataValue.md(page),
            "bars": picture(bars, "accuracy of every recipe on every benchmark"),
            "recipes": scores["recipe"].n_unique(),
            "benchmarks": scores["benchmark"].n_unique(),
            "dagster/uri": str(path),
        },
        digest("r1 report", page),
    )
