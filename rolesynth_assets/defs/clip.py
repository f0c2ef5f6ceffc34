"""Stage 5: the rows a recipe trains on, and the CLIP models trained on them."""

import dagster as dg

from rolesynth_assets.defs.wiring import freshness, partitions
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
    partitions_def=partitions.recipe,
    deps=[
        dg.AssetDep("pair_manifests", partition_mapping=partitions.recipes_of_role_set),
        "recipe_files",
    ],
    group_name="clip",
    kinds={"duckdb", "polars"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    code_version="2",
    check_specs=[
        check_spec(
            "training_sets",
            "manifest_matches_tables",
            "The manifest tells what the pair tables hold.",
            partitions.recipe,
            blocking=True,
        ),
        check_spec(
            "training_sets",
            "no_benchmark_image",
            "No image of the training set stands in a benchmark.",
            partitions.recipe,
            blocking=True,
        ),
        check_spec(
            "training_sets",
            "no_withdrawn_image",
            "No image of the training set was withdrawn.",
            partitions.recipe,
            blocking=True,
        ),
    ],
)
def training_sets(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Which (image, caption) rows a recipe trains on, pinned to a Lance version of `pairs`.

    In: the role set's manifest, `pairs`. Out: DuckDB table `training_sets`. Stale when: the
    manifest, the recipe or the code change. A pin keeps the versions behind it for `trace`.
    """
    from rolesynth_assets.benchmarks.contamination import benchmark_images
    from rolesynth_assets.images.checks import no_benchmark_image, no_withdrawn_image
    from rolesynth_assets.pairs.pair_manifest import (
        manifest_matches,
        manifest_rows,
        multiplicity,
        pinned_version,
    )
    from rolesynth_assets.store.tombstones import read_tombstones
    from rolesynth_assets.training_sets.pins import pin_training_set, write_pin
    from rolesynth_assets.training_sets.rows import (
        selected_pairs,
        training_set,
        training_set_row,
    )

    recipe, store = partitions.RECIPES[context.partition_key], platform.store
    manifest = platform.warehouse.read("manifests", {"role_set": recipe.role_set})
    version = pinned_version(manifest, recipe.role_set)
    pairs = selected_pairs(store, recipe, version)
    row = training_set_row(recipe, pairs, training_set(store, pairs), version)
    platform.warehouse.replace("training_sets", {"recipe": recipe.name}, row)
    digest, run = str(row["digest"][0]), context.run_id
    write_pin(platform.warehouse, pin_training_set(store, recipe, pairs, digest, version, run))
    ids = pairs["image_id"].to_list()
    blocked = benchmark_images(partitions.TASKS, platform.settings.data_root)
    return dg.MaterializeResult(
        metadata=page_order(
            {
                **warehouse_metadata(
                    "training_sets",
                    pairs.height,
                    {
                        "pairs_version": [("pair_manifests", "pairs_version")],
                        "digest": [("pair_manifests", "pairs_digest")],
                    },
                ),
                "rolesynth/pairs": pairs.height,
                "rolesynth/images": pairs["image_id"].n_unique(),
                "rolesynth/pairs_version": version,
                "rolesynth/cut": str(recipe.cut),
                "rolesynth/digest": row["digest"][0][:16],
                "rolesynth/multiplicity": markdown_table(
                    multiplicity(pairs.with_columns(kept=True))
                ),
            }
        ),
        check_results=[
            check_result(
                "manifest_matches_tables",
                manifest_matches(manifest, manifest_rows(store, recipe.role_set)),
            ),
            check_result(
                "no_benchmark_image",
                no_benchmark_image(recipe.name, ids, blocked),
            ),
            check_result(
                "no_withdrawn_image",
                no_withdrawn_image(recipe.name, ids, read_tombstones(platform.warehouse)),
            ),
        ],
        data_version=dg.DataVersion(f"{row['digest'][0]}-{recipe.digest[:16]}"),
    )


@dg.asset(
    partitions_def=partitions.recipe_by_seed,
    deps=[dg.AssetDep("training_sets", partition_mapping=partitions.by_recipe)],
    group_name="clip",
    kinds={"pytorch", "safetensors"},
    owners=OWNERS,
    freshness_policy=freshness.MODELS,
    code_version="1",
    pool="gpu",
    check_specs=[
        check_spec("clip_checkpoints", name, text, partitions.recipe_by_seed, blocking=blocking)
        for name, text, blocking in (
            ("loss_finite", "No step's loss was NaN or infinite.", True),
            ("loss_falls", "The loss fell during training.", False),
            (
                "reload_reproduces",
                "The stored checkpoint gives the logits it was saved with.",
                True,
            ),
            ("no_withdrawn_image", "No image that it was trained on was withdrawn.", True),
        )
    ],
)
def clip_checkpoints(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """A CLIP model trained by one recipe with one seed, on long and short captions.

    In: the recipe's training set and `images`. Out: a folder with safetensors, recipe, losses and
    provenance. A killed training goes on from its last saved step. Stale when: the training set or
    the code change.
    """
    from rolesynth_assets.clip import checks
    from rolesynth_assets.clip.checkpoint.recorded_trainings import record_training
    from rolesynth_assets.clip.checkpoint.save_load import reference_error
    from rolesynth_assets.clip.train import train
    from rolesynth_assets.images.checks import no_withdrawn_image
    from rolesynth_assets.pictures.charts import loss_curve
    from rolesynth_assets.store.tombstones import read_tombstones
    from rolesynth_assets.training_sets.rows import selected_pairs, training_set

    partition, store, settings = partitions.keys(context), platform.store, platform.settings
    recipe, seed = partitions.RECIPES[partition["recipe"]], int(partition["seed"])
    pinned = platform.warehouse.read("training_sets", {"recipe": recipe.name})
    if pinned.is_empty():
        raise dg.Failure(
            f"Recipe {recipe.name!r} has no training set: materialize training_sets for it first."
        )
    rows = selected_pairs(store, recipe, int(pinned["pairs_version"][0]))
    advance = reporting(f"training {recipe.name} seed {seed}")
    report = train(
        recipe,
        training_set(store, rows),
        settings.checkpoint(recipe.name, seed),
        seed,
        progress=lambda done, total, loss: advance(done, total),
    )
    record_training(platform.warehouse, report.manifest, context.run_id)
    losses = [point.loss for point in report.losses]
    curve = loss_curve([p.step for p in report.losses], losses, title=f"{recipe.name}, seed {seed}")
    bounds = settings.thresholds
    return dg.MaterializeResult(
        metadata=page_order(
            {
                "rolesynth/loss_curve": picture(curve, "training loss by step"),
                "rolesynth/steps": report.manifest.steps,
                "rolesynth/final_loss": losses[-1],
                "rolesynth/images_per_second": report.images_per_second,
                "rolesynth/seconds": report.seconds,
                "rolesynth/resumed_from": report.resumed_from,
                "rolesynth/pairs": report.manifest.pairs,
                "rolesynth/weights_digest": report.manifest.weights_digest[:16],
                "rolesynth/training_set_digest": report.manifest.training_set_digest[:16],
                "dagster/uri": str(report.folder),
            }
        ),
        check_results=[
            check_result("loss_finite", checks.loss_finite(losses)),
            check_result("loss_falls", checks.loss_falls(losses, bounds.min_loss_drop), warn=True),
            check_result(
                "reload_reproduces",
                checks.reload_reproduces(reference_error(report.folder), bounds.max_logit_error),
            ),
            check_result(
                "no_withdrawn_image",
                no_withdrawn_image(
                    context.partition_key,
                    rows["image_id"].to_list(),
                    read_tombstones(platform.warehouse),
                ),
            ),
        ],
        data_version=dg.DataVersion(report.manifest.weights_digest),
    )
