"""Stage 6: scores on benchmarks, and the pages people read: ablation report, dataset card."""

import dagster as dg

from rolesynth_assets.defs.wiring import conditions, freshness, partitions
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


@dg.asset(
    partitions_def=partitions.recipe_by_benchmark,
    deps=[
        dg.AssetDep("clip_checkpoints", partition_mapping=partitions.all_seeds_of_recipe),
        dg.AssetDep("benchmark_files", partition_mapping=partitions.by_benchmark),
    ],
    group_name="benchmarks",
    kinds={"pytorch", "duckdb"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    code_version="1",
    pool="gpu",
    check_specs=[
        check_spec("benchmark_scores", name, text, partitions.recipe_by_benchmark)
        for name, text in {
            "above_chance": "Every metric is above chance by more than its interval.",
            "not_worse_than_baseline": "No metric is below the baseline recipe's by more than both "
            "intervals allow.",
        }.items()
    ],
)
def benchmark_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Retrieval or zero-shot scores of a recipe's checkpoints on one benchmark, with intervals.

    In: the checkpoints of all seeds trained so far, the benchmark's files. Out: DuckDB table
    `benchmark_scores`. Stale when: a checkpoint, the benchmark or the
    code change.
    """
    import polars as pl

    from rolesynth_assets.benchmarks import checks
    from rolesynth_assets.benchmarks.evaluate import evaluate_checkpoint
    from rolesynth_assets.benchmarks.score import scores_frame
    from rolesynth_assets.clip.checkpoint.files import read_manifest
    from rolesynth_assets.pictures.charts import retrieval_bars
    from rolesynth_assets.reports.ablation import score_bars
    from rolesynth_assets.store.digests import digest
    from rolesynth_assets.training_sets.rows import trained_seeds

    partition, settings = partitions.keys(context), platform.settings
    recipe, task = partitions.RECIPES[partition["recipe"]], partitions.TASKS[partition["benchmark"]]
    where = {"recipe": recipe.name, "benchmark": task.name}
    frames = []
    for seed in trained_seeds(recipe, settings.checkpoint):
        folder = settings.checkpoint(recipe.name, seed)
        scores = evaluate_checkpoint(
            folder,
            task,
            settings.data_root,
            progress=reporting(f"{task.name}, {recipe.name} seed {seed}"),
        )
        weights = read_manifest(folder).weights_digest
        frames.append(
            scores_frame(
                scores,
                recipe=recipe.name,
                seed=seed,
                benchmark=task.name,
                checkpoint_digest=weights,
                run_id=context.run_id,
            )
        )
    frame = pl.concat(frames)
    platform.warehouse.replace("benchmark_scores", where, frame)
    baseline = platform.warehouse.read(
        "benchmark_scores", {"recipe": recipe.baseline or recipe.name, "benchmark": task.name}
    )
    both = pl.concat([frame, baseline]) if recipe.baseline else frame
    shown = frame.group_by("metric", maintain_order=True).agg(
        pl.col("value").mean(),
        pl.col("low").mean(),
        pl.col("high").mean(),
        pl.col("chance").first(),
    )
    bars = retrieval_bars(score_bars(both), title=task.name)
    numbers = frame.select("seed", "metric", "value", "checkpoint_digest").sort("seed", "metric")
    return dg.MaterializeResult(
        metadata=page_order(
            {
                **warehouse_metadata("benchmark_scores", frame.height, {}),
                "rolesynth/seeds": frame["seed"].n_unique(),
                "rolesynth/queries": int(frame["n"].max()),  # type: ignore[arg-type]
                **{
                    f"rolesynth/{row['metric']}": row["value"]
                    for row in shown.iter_rows(named=True)
                },
                "rolesynth/scores": markdown_table(shown),
                "rolesynth/bars": picture(bars, f"scores on {task.name}"),
            }
        ),
        check_results=[
            check_result("above_chance", checks.above_chance(frame)),
            check_result(
                "not_worse_than_baseline",
                checks.not_worse_than_baseline(frame, baseline, recipe.baseline),
                warn=True,
            ),
        ],
        data_version=dg.DataVersion(digest("scores", repr(numbers.rows()))),
    )


@dg.asset(
    deps=[dg.AssetDep("benchmark_scores", partition_mapping=dg.AllPartitionMapping())],
    group_name="benchmarks",
    kinds={"markdown"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    automation_condition=conditions.FAN_IN,
    code_version="1",
)
def ablation_report(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One page: every recipe on every benchmark, mean over seeds, and how far from its baseline.

    In: `benchmark_scores`. Out: `reports/ablation.md` and pictures. Stale when: any score changes.
    """
    from rolesynth_assets.pictures.charts import retrieval_bars
    from rolesynth_assets.reports.ablation import score_bars, write_ablation_report
    from rolesynth_assets.store.digests import digest

    scores = platform.warehouse.read("benchmark_scores")
    path = platform.settings.data_root / "reports" / "ablation.md"
    models = {platform.settings.captioner.engine, platform.settings.judge.engine}
    page = write_ablation_report(path, scores, partitions.RECIPES, embedded="embedded" in models)
    pictures = {
        f"rolesynth/{task}": picture(
            retrieval_bars(score_bars(of_task), title=str(task)), f"scores on {task}"
        )
        for (task,), of_task in scores.sort("benchmark").group_by("benchmark", maintain_order=True)
    }
    return dg.MaterializeResult(
        metadata={
            "rolesynth/report": dg.MetadataValue.md(page),
            "dagster/uri": str(path),
            "rolesynth/recipes": scores["recipe"].n_unique(),
            **pictures,
        },
        data_version=dg.DataVersion(digest("ablation", page)),
    )


@dg.asset(
    partitions_def=partitions.role_set,
    deps=[dg.AssetDep("pair_manifests"), dg.AssetDep("role_lists")],
    group_name="benchmarks",
    kinds={"markdown"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    automation_condition=conditions.PAGE,
    code_version="1",
)
def dataset_card(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """The dataset card of a role set: roles, counts, filter, diversity, models, licence.

    In: the manifest and all tables behind it. Out: `reports/dataset_<role set>.md`. Stale when: the
    manifest or the roles change.
    """
    from rolesynth_assets.reports.dataset_card import dataset_card_markdown
    from rolesynth_assets.reports.dataset_card_facts import gather_card
    from rolesynth_assets.store.digests import digest

    name, settings = context.partition_key, platform.settings
    card = gather_card(platform.store, platform.warehouse, partitions.ROLE_SETS[name], settings)
    page = dataset_card_markdown(card)
    path = settings.data_root / "reports" / f"dataset_{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return dg.MaterializeResult(
        metadata={"rolesynth/card": dg.MetadataValue.md(page), "dagster/uri": str(path)},
        data_version=dg.DataVersion(digest("card", page)),
    )
