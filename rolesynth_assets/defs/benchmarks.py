"""Stage 6: scores on benchmarks, and the pages people read: ablation report, dataset card."""

import dagster as dg

from rolesynth_assets.benchmarks import checks
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import small_table_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.progress import reporting


@stage(
    "benchmarks",
    {"pytorch", "lance"},
    partitions.recipe_by_benchmark,
    deps={
        "clip_checkpoints": partitions.all_seeds_of_recipe,
        "benchmark_files": partitions.by_benchmark,
    },
    freshness_policy=freshness.MODELS,
    pool="gpu",
    code_version="2",
    checks=[
        Check(
            checks.above_chance,
            "Every metric is above chance by more than its interval.",
            bounds={"margin": "min_above_chance"},
        ),
        Check(
            checks.not_worse_than_baseline,
            "No metric is below the baseline recipe's by more than both intervals allow.",
            warn=True,
            bounds={"tolerance": "max_below_baseline"},
        ),
    ],
)
def benchmark_scores(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Retrieval or zero-shot scores of a recipe's checkpoints on one benchmark, with intervals.

    In: the checkpoints of all seeds trained so far, the benchmark's files. Out: small table
    `benchmark_scores`, and Lance table `rankings` with the rank and the first ten candidates of
    each query, or of 2,000 of them. Stale when: a checkpoint, the benchmark or the code change.
    """
    import pyarrow as pa

    from rolesynth_assets.benchmarks.datasets import texts_of
    from rolesynth_assets.benchmarks.encoder import count_cut_texts
    from rolesynth_assets.benchmarks.evaluate import evaluate_seed
    from rolesynth_assets.benchmarks.recorded_scores import record_scores
    from rolesynth_assets.clip.checkpoint.files import trained_seeds
    from rolesynth_assets.reports.ablation import score_bars

    partition, settings = partitions.keys(context), platform.settings
    recipe, task = partitions.RECIPES[partition["recipe"]], partitions.TASKS[partition["benchmark"]]
    seeds = trained_seeds(recipe, settings.paths.clip_checkpoint)
    checkpoint = settings.paths.clip_checkpoint(recipe.name, seeds[0])
    of_seeds = [
        evaluate_seed(
            settings.paths.clip_checkpoint(recipe.name, seed),
            task,
            settings.data_root,
            run_id=context.run_id,
            progress=reporting(f"{task.name}, {recipe.name} seed {seed}"),
        )
        for seed in seeds
    ]
    rankings = pa.concat_tables(found.rankings for found in of_seeds)
    platform.store.replace("rankings", {"recipe": recipe.name, "benchmark": task.name}, rankings)
    scores = [found.scores for found in of_seeds]
    found = record_scores(platform.small, "benchmark_scores", recipe, task.name, scores)
    return Made(
        {
            **small_table_metadata("benchmark_scores", found.scores.height, {}),
            **found.metadata(score_bars),
            "queries": int(found.scores["n"].max()),  # type: ignore[arg-type]
            "queries_ranked": rankings.num_rows,
            "texts_cut": count_cut_texts(checkpoint, texts_of(task, settings.data_root)),
        },
        found.digest("scores"),
        facts=found.facts,
    )


@stage(
    "benchmarks",
    {"markdown"},
    deps={"benchmark_scores": dg.AllPartitionMapping()},
    freshness_policy=freshness.MODELS,
    automation_condition=conditions.FAN_IN,
)
def ablation_report(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """One page: what earns the score, and every recipe on every benchmark beside its baseline.

    In: `benchmark_scores`, `rankings`. Out: `reports/ablation.md`, its numbers as JSON, pictures.
    Stale when: any score changes.
    """
    from rolesynth_assets.reports.ablation import ablation_pictures, write_ablation_report
    from rolesynth_assets.reports.ablation_facts import gather_record
    from rolesynth_assets.store.digests import digest

    scores = platform.small.read("benchmark_scores")
    path = platform.settings.paths.report("ablation")
    models = {platform.settings.captioner.engine, platform.settings.judge.engine}
    record = gather_record(platform.store, platform.small, partitions.RECIPES)
    page = write_ablation_report(
        path, scores, partitions.RECIPES, embedded="embedded" in models, record=record
    )
    return Made(
        {
            "report": dg.MetadataValue.md(page),
            "dagster/uri": str(path),
            "recipes": scores["recipe"].n_unique(),
            **ablation_pictures(scores, record),
        },
        digest("ablation", page),
    )


@stage(
    "benchmarks",
    {"markdown"},
    partitions.role_set,
    deps={"pair_manifests": None, "role_lists": None},
    freshness_policy=freshness.DATA,
    automation_condition=conditions.PAGE,
)
def dataset_card(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """The dataset card of a role set: roles, counts, filter, diversity, models, licence.

    In: the manifest and all tables behind it. Out: `reports/dataset_<role set>.md`. Stale when: the
    manifest or the roles change.
    """
    from rolesynth_assets.reports.dataset_card import write_dataset_card
    from rolesynth_assets.reports.dataset_card_facts import gather_card
    from rolesynth_assets.store.digests import digest

    name, settings = context.partition_key, platform.settings
    card = gather_card(platform.store, platform.small, partitions.ROLE_SETS[name], settings)
    path = settings.paths.dataset_card(name)
    page = write_dataset_card(path, card)
    return Made({"card": dg.MetadataValue.md(page), "dagster/uri": str(path)}, digest("card", page))
