"""R1: policies trained by GRPO on synthetic problems, their scores, and the page that compares."""

import dagster as dg

from rolesynth_assets.defs.r1_metadata import training_checks, training_metadata
from rolesynth_assets.defs.wiring import conditions, freshness, partitions, r1_partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    markdown_table,
    picture,
    warehouse_metadata,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.progress import reporting

ACCURACY = ["accuracy"]
"""What the checks of scores hold against chance and baseline: the form of a reply has no chance."""


@dg.asset(
    partitions_def=r1_partitions.recipe_by_seed,
    deps=[
        dg.AssetDep("synthetic_problems", partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep("cads_seeds", partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep("r1_recipe_files", partition_mapping=r1_partitions.by_recipe),
    ],
    group_name="r1",
    kinds={"pytorch", "safetensors"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    code_version="1",
    pool="gpu",
    check_specs=[
        check_spec("r1_checkpoints", name, text, r1_partitions.recipe_by_seed, blocking=blocking)
        for name, text, blocking in (
            ("reward_finite", "No step's reward, loss or KL was NaN or infinite.", True),
            ("no_reward_hacking", "The form did not improve at the cost of the answers.", False),
            ("reload_reproduces", "The stored policy gives the replies it was saved with.", True),
            ("no_benchmark_problem", "No training question shows a benchmark's image.", True),
            ("no_withdrawn_image", "No image that it was trained on was withdrawn.", True),
        )
    ],
)
def r1_checkpoints(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """A policy trained by one R1 recipe with one seed: GRPO on questions with an image.

    In: the kept `problems` or the `seeds` of all domains, as the recipe says. Out: a folder with
    safetensors, recipe, log, sample replies and provenance; an untrained base has no weights of its
    own. A killed training goes on from its last saved step. Stale when: the problems, the seeds,
    the recipe or the code change.
    """
    from rolesynth_assets.r1.data import stored_data
    from rolesynth_assets.r1.recipe import Training
    from rolesynth_assets.r1.training.recorded_trainings import record_r1_training
    from rolesynth_assets.r1.training.train import train

    partition, settings = partitions.keys(context), platform.settings
    recipe = r1_partitions.R1_RECIPES[partition["r1_recipe"]]
    seed = int(partition["r1_seed"])
    stored = stored_data(platform.store, recipe.training)
    if recipe.training is not Training.NONE and not stored.data.items:
        source = "cads_seeds" if recipe.training is Training.SEEDS_ONLY else "synthetic_problems"
        raise dg.Failure(
            f"R1 recipe {recipe.name!r} (training: {recipe.training}) has no question to train on; "
            f"dropped, by reason: {dict(stored.data.dropped)}. Materialize {source} for a domain "
            "that gives some first."
        )
    advance = reporting(f"training {recipe.name} seed {seed}")
    report = train(
        recipe,
        stored.data,
        settings.r1_checkpoint(recipe.name, seed),
        seed,
        progress=lambda done, total, reward: advance(done, total),
    )
    item_ids = [item.item_id for item in stored.data.items]
    record_r1_training(platform.warehouse, report.provenance, item_ids, context.run_id)
    # the recipe is in it since it bounds the replies, which decides scores
    version = f"{report.provenance.weights_digest}-{report.provenance.recipe_digest[:16]}"
    return dg.MaterializeResult(
        metadata=page_order(training_metadata(report)),
        check_results=training_checks(context.partition_key, platform, stored, report),
        data_version=dg.DataVersion(version),
    )


@dg.asset(
    partitions_def=r1_partitions.recipe_by_benchmark,
    deps=[
        dg.AssetDep("r1_checkpoints", partition_mapping=r1_partitions.all_seeds_of_recipe),
        dg.AssetDep("r1_benchmark_files", partition_mapping=r1_partitions.by_benchmark),
    ],
    group_name="r1",
    kinds={"pytorch", "duckdb"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    code_version="1",
    pool="gpu",
    check_specs=[
        check_spec("r1_scores", name, text, r1_partitions.recipe_by_benchmark)
        for name, text in {
            "above_chance": "The accuracy is above blind guessing by more than its interval.",
            "not_worse_than_baseline": "The accuracy is not below the baseline recipe's by more "
            "than both intervals allow.",
        }.items()
    ],
)
def r1_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Accuracy and form of an R1 recipe's policies on one held-out benchmark, with intervals.

    In: the policies of all seeds trained so far, the benchmark. Out: DuckDB table `r1_scores`.
    Stale when: a policy, the benchmark's definition or the code change.
    """
    import polars as pl

    from rolesynth_assets.benchmarks import checks
    from rolesynth_assets.pictures.charts import retrieval_bars
    from rolesynth_assets.r1.benchmarks.evaluate import evaluate, scores_frame
    from rolesynth_assets.r1.benchmarks.items import benchmark_items
    from rolesynth_assets.r1.charts import accuracy_bars
    from rolesynth_assets.r1.training.checkpoint import read_provenance
    from rolesynth_assets.store.digests import digest

    partition, settings = partitions.keys(context), platform.settings
    recipe = r1_partitions.R1_RECIPES[partition["r1_recipe"]]
    benchmark = r1_partitions.R1_BENCHMARKS[partition["r1_benchmark"]]
    seeds = _trained_seeds(platform, recipe.name)
    items = benchmark_items(benchmark, settings.data_root)
    frames = []
    for seed in seeds:
        folder = settings.r1_checkpoint(recipe.name, seed)
        advance = reporting(f"{benchmark.name}, {recipe.name} seed {seed}")
        frames.append(
            scores_frame(
                evaluate(folder, items, progress=advance),
                recipe=recipe.name,
                seed=seed,
                benchmark=benchmark.name,
                checkpoint_digest=read_provenance(folder).weights_digest,
                run_id=context.run_id,
            )
        )
    frame = pl.concat(frames)
    where = {"recipe": recipe.name, "benchmark": benchmark.name}
    platform.warehouse.replace("r1_scores", where, frame)
    theirs = {"recipe": recipe.baseline or recipe.name, "benchmark": benchmark.name}
    baseline = platform.warehouse.read("r1_scores", theirs)
    bars = accuracy_bars(pl.concat([frame, baseline]) if recipe.baseline else frame)
    means = frame.group_by("metric", maintain_order=True).agg(pl.col("value", "low", "high").mean())
    numbers = frame.select("seed", "metric", "value", "checkpoint_digest").sort("seed", "metric")
    return dg.MaterializeResult(
        metadata=page_order(
            {
                **warehouse_metadata("r1_scores", frame.height, {}),
                "rolesynth/seeds": len(seeds),
                "rolesynth/items": len(items),
                **{
                    f"rolesynth/{row['metric']}": row["value"]
                    for row in means.iter_rows(named=True)
                },
                "rolesynth/scores": markdown_table(means),
                "rolesynth/bars": picture(
                    retrieval_bars(bars, title=benchmark.name), f"accuracy on {benchmark.name}"
                ),
            }
        ),
        check_results=[
            check_result("above_chance", checks.above_chance(frame, metrics=ACCURACY), warn=True),
            check_result(
                "not_worse_than_baseline",
                checks.not_worse_than_baseline(frame, baseline, recipe.baseline, metrics=ACCURACY),
                warn=True,
            ),
        ],
        data_version=dg.DataVersion(digest("r1 scores", repr(numbers.rows()))),
    )


def _trained_seeds(platform: Platform, name: str) -> list[int]:
    from rolesynth_assets.r1.training.checkpoint import PROVENANCE

    recipe, folder = r1_partitions.R1_RECIPES[name], platform.settings.r1_checkpoint
    seeds = [seed for seed in recipe.seeds if (folder(name, seed) / PROVENANCE).is_file()]
    if not seeds:
        raise dg.Failure(
            f"R1 recipe {name!r} has no finished checkpoint: materialize r1_checkpoints for one of "
            f"its seeds {list(recipe.seeds)} first."
        )
    return seeds


@dg.asset(
    deps=[dg.AssetDep("r1_scores", partition_mapping=dg.AllPartitionMapping())],
    group_name="r1",
    kinds={"markdown"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    automation_condition=conditions.FAN_IN,
    code_version="1",
)
def r1_report(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One page: does GRPO on the problems beat the untrained model, with intervals over seeds?

    In: `r1_scores`. Out: `reports/r1.md` and a picture. Stale when: any score changes.
    """
    from rolesynth_assets.pictures.charts import retrieval_bars
    from rolesynth_assets.r1.charts import accuracy_bars
    from rolesynth_assets.reports.r1 import write_r1_report
    from rolesynth_assets.store.digests import digest

    scores = platform.warehouse.read("r1_scores").sort("recipe", "benchmark", "seed", "metric")
    if scores.is_empty():
        raise dg.Failure("There is no R1 score to report: materialize r1_scores first.")
    path = platform.settings.data_root / "reports" / "r1.md"
    page = write_r1_report(path, scores, r1_partitions.R1_RECIPES)
    bars = retrieval_bars(accuracy_bars(scores), title="accuracy of R1 policies")
    return dg.MaterializeResult(
        metadata=page_order(
            {
                "rolesynth/report": dg.MetadataValue.md(page),
                "rolesynth/bars": picture(bars, "accuracy of every recipe on every benchmark"),
                "rolesynth/recipes": scores["recipe"].n_unique(),
                "rolesynth/benchmarks": scores["benchmark"].n_unique(),
                "dagster/uri": str(path),
            }
        ),
        data_version=dg.DataVersion(digest("r1 report", page)),
    )
