"""Stage 5: the rows a recipe trains on, and the CLIP models trained on them."""

import dagster as dg

from rolesynth_assets.clip import checks
from rolesynth_assets.defs.wiring import freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import small_table_metadata, training_loss
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.images.checks import (
    no_benchmark_copy,
    no_benchmark_image,
    no_withdrawn_image,
)
from rolesynth_assets.pairs.checks import manifest_matches_tables
from rolesynth_assets.progress import reporting

_SET_LINEAGE = {
    "pairs_version": [("pair_manifests", "pairs_version")],
    "digest": [("pair_manifests", "pairs_digest")],
}


@stage(
    "clip",
    {"lance", "polars"},
    partitions.recipe,
    deps={"pair_manifests": partitions.recipes_of_role_set, "recipe_files": None},
    freshness_policy=freshness.MODELS,
    code_version="2",
    checks=[
        Check(manifest_matches_tables, "The manifest agrees with the pair tables.", blocking=True),
        Check(
            no_benchmark_image,
            "No image of the training set is in a benchmark.",
            blocking=True,
        ),
        Check(
            no_benchmark_copy,
            "No image of the training set shows a benchmark's picture in other bytes.",
            warn=True,
        ),
        Check(no_withdrawn_image, "No image of the training set was withdrawn.", blocking=True),
    ],
)
def training_sets(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Which (image, caption) rows a recipe trains on, pinned to a Lance version of `pairs`.

    In: the role set's manifest, `pairs`. Out: small table `training_sets`. Stale when: the
    manifest, the recipe or the code change. A pin keeps the versions behind it for `trace`.
    """
    from rolesynth_assets.benchmarks.contamination import (
        benchmark_images,
        benchmark_looks,
        copies_in,
    )
    from rolesynth_assets.pairs.pair_manifest import manifest_rows, multiplicity, pinned_version
    from rolesynth_assets.store.tombstones import read_tombstones
    from rolesynth_assets.training_sets.pins import pin_training_set, write_pin
    from rolesynth_assets.training_sets.rows import selected_pairs, training_set, training_set_row
    from rolesynth_assets.training_sets.shards_left_out import shards_left_out

    recipe, store = partitions.RECIPES[context.partition_key], platform.store
    manifest = platform.small.read("manifests", {"role_set": recipe.role_set})
    version = pinned_version(manifest, recipe.role_set)
    left_out = shards_left_out(store, manifest, recipe.role_set, version)
    pairs = selected_pairs(store, recipe, version, left_out)
    root, rows = platform.settings.data_root, training_set(store, recipe, pairs)
    row = training_set_row(recipe, pairs, rows, version)
    platform.small.replace("training_sets", {"recipe": recipe.name}, row)
    digest, run = str(row["digest"][0]), context.run_id
    pin = pin_training_set(store, recipe, pairs, digest, version, run, left_out)
    write_pin(store, platform.small, pin)
    return Made(
        {
            **small_table_metadata("training_sets", pairs.height, _SET_LINEAGE),
            "pairs": pairs.height,
            "images": pairs["image_id"].n_unique(),
            "pairs_version": version,
            "cut": str(recipe.cut),
            "digest": digest[:16],
            "multiplicity": multiplicity(pairs.with_columns(kept=True)),
        },
        f"{digest}-{recipe.digest[:16]}",
        facts={
            "stored": manifest,
            "tables": manifest_rows(store, recipe.role_set, partitions.live_shards(context)),
            "selected_shards": pairs["shard"].unique().to_list(),
            "shard": recipe.name,
            "name": recipe.name,
            "image_ids": pairs["image_id"].to_list(),
            "benchmark_ids": benchmark_images(partitions.TASKS, root),
            "copies": copies_in(
                rows.image_ids,
                rows.images,
                benchmark_looks(partitions.TASKS, root),
                reporting(f"{recipe.name}: copies of benchmark images"),
            ),
            "withdrawn": read_tombstones(platform.small),
        },
    )


@stage(
    "clip",
    {"pytorch", "safetensors"},
    partitions.recipe_by_seed,
    deps={"training_sets": partitions.by_recipe},
    freshness_policy=freshness.MODELS,
    pool="gpu",
    checks=[
        Check(checks.loss_finite, "No step's loss was NaN or infinite.", blocking=True),
        Check(
            checks.loss_falls,
            "The loss fell during training.",
            warn=True,
            bounds={"min_drop": "min_loss_drop", "window_share": "loss_window"},
        ),
        Check(
            checks.reload_reproduces,
            "The stored checkpoint gives the logits it was saved with.",
            blocking=True,
            bounds={"tolerance": "max_logit_error"},
        ),
        Check(
            checks.few_captions_cut,
            "Few captions were cut at the context length.",
            warn=True,
            bounds={"max_share": "max_cut_caption_share"},
        ),
        Check(no_withdrawn_image, "No image that it was trained on was withdrawn.", blocking=True),
    ],
)
def clip_checkpoints(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """A CLIP model trained by one recipe with one seed, on long and short captions.

    In: the recipe's training set and `images`. Out: a folder with safetensors, recipe, losses and
    provenance. A killed training goes on from its last saved step, and several GPUs train one model
    together. Stale when: the training set or the code change.
    """
    from rolesynth_assets.clip.checkpoint.recorded_trainings import record_training
    from rolesynth_assets.clip.checkpoint.save_load import reference_error
    from rolesynth_assets.clip.ranks.job import Job
    from rolesynth_assets.clip.training_run import trained
    from rolesynth_assets.store.tombstones import read_tombstones
    from rolesynth_assets.training_sets.rows import selected_pairs, trained_selection, training_set

    partition, store, settings = partitions.keys(context), platform.store, platform.settings
    recipe, seed = partitions.RECIPES[partition["recipe"]], int(partition["seed"])
    version, left_out = trained_selection(platform.small, recipe)
    rows = selected_pairs(store, recipe, version, left_out)
    data = training_set(store, recipe, rows)
    job = Job(
        recipe=recipe,
        seed=seed,
        data_root=settings.data_root,
        pairs_version=version,
        left_out=left_out,
        training_set_digest=data.digest,
        checkpoint=settings.paths.clip_checkpoint(recipe.name, seed),
        pixel_bytes=int(settings.pixel_cache_gb * 1e9),
    )
    report = trained(settings.training, job, data)
    made = report.manifest
    record_training(platform.small, made, context.run_id)
    losses = [point.loss for point in report.losses]
    title = f"{recipe.name}, seed {seed}"
    return Made(
        {
            **training_loss([p.step for p in report.losses], losses, title),
            "steps": made.steps,
            "processes": made.processes,
            "images_per_second": report.images_per_second,
            "seconds": report.seconds,
            "resumed_from": report.resumed_from,
            "pairs": made.pairs,
            "captions": report.captions,
            "captions_cut": report.captions_cut,
            "weights_digest": made.weights_digest[:16],
            "training_set": f"training_sets[{recipe.name}]",
            "training_set_digest": made.training_set_digest[:16],
            "dagster/uri": str(report.place),
        },
        made.weights_digest,
        facts={
            "losses": losses,
            "steps": made.steps,
            "cut": report.captions_cut,
            "captions": report.captions,
            "error": reference_error(report.folder),
            "name": context.partition_key,
            "image_ids": rows["image_id"].to_list(),
            "withdrawn": read_tombstones(platform.small),
        },
    )
