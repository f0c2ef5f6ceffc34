"""Stage 3: a long and a short caption of every image from every role."""

import dagster as dg

from rolesynth_assets.defs.wiring import freshness, partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    markdown_table,
    model_metadata,
    picture,
    spent_metadata,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags
from rolesynth_assets.progress import reporting

_CHECKS = {
    "every_request_answered": "Every (image, role, length) is a caption or a reason.",
    "keys_unique": "No caption stands twice in the partition.",
    "lengths_in_bounds": "Every caption's number of words is within its length kind's bounds.",
    "failures_bounded": "Few requests ended without a caption.",
    "persona_talk_bounded": "Few captions talk about their own role.",
    "refusals_bounded": "The model refused few images.",
}
_BLOCKING = {"every_request_answered", "keys_unique", "failures_bounded"}


@dg.asset(
    partitions_def=partitions.shard_by_role_set,
    deps=[
        dg.AssetDep("image_shards", partition_mapping=partitions.by_shard),
        dg.AssetDep("role_lists", partition_mapping=partitions.by_role_set),
        "captioner",
    ],
    group_name="captions",
    kinds={"lance", "vllm"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    code_version="1",
    pool="mllm",
    check_specs=[
        check_spec(
            "raw_captions", name, text, partitions.shard_by_role_set, blocking=name in _BLOCKING
        )
        for name, text in _CHECKS.items()
    ],
)
def raw_captions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Long and short captions of a shard's images, one for each role, with every failure's reason.

    In: `images`, `roles`, a multimodal LLM. Out: Lance table `captions`; only what is missing is
    asked for. Stale when: the shard's images, the role set, the model or the code change, or rows
    failed for a passing reason.
    """
    import polars as pl

    from rolesynth_assets.captions import checks
    from rolesynth_assets.captions.captioning import write_captions
    from rolesynth_assets.captions.gallery import galleries
    from rolesynth_assets.captions.lengths import DEFAULT_POLICY
    from rolesynth_assets.captions.wanted_captions import wanted
    from rolesynth_assets.mllm.stand_in import keep_paid_rows
    from rolesynth_assets.roles.rows import roles_from_rows

    store, where = platform.store, partitions.lance_partition(context)
    shard, role_set = where["shard"], where["role_set"]
    roles = roles_from_rows(store.read("roles", {"role_set": role_set}))
    writers = store.read("captions", where, ["model"])["model"].to_pylist()
    keep_paid_rows(writers, platform.settings.captioner, f"captions of {shard}, {role_set}")
    report, model = platform.ask(
        platform.settings.captioner,
        lambda engine: write_captions(
            store,
            engine,
            shard,
            role_set,
            roles,
            run_id=context.run_id,
            progress=reporting(f"captions {shard} {role_set}"),
        ),
    )
    rows = store.read("captions", where)
    images = store.read("images", {"shard": shard}, ["image_id"])["image_id"].to_pylist()
    ids = [c.caption_id for c in wanted(images, roles, model, DEFAULT_POLICY)]
    bounds = platform.settings.thresholds
    outcomes = {
        "every_request_answered": checks.every_request_answered(rows, ids),
        "keys_unique": checks.keys_unique(rows),
        "lengths_in_bounds": checks.lengths_in_bounds(rows, DEFAULT_POLICY),
        "failures_bounded": checks.failures_bounded(rows, bounds.max_failure_share),
        "persona_talk_bounded": checks.persona_talk_bounded(rows, bounds.max_persona_share),
        "refusals_bounded": checks.refusals_bounded(rows, bounds.max_refusal_share),
    }
    metadata = {
        "rolesynth/captions": report.captions,
        **spent_metadata(
            platform.settings.prices.captioner,
            report,
        ),
        "rolesynth/neutralised": report.neutralised,
        "rolesynth/recovered": report.recovered,
        "rolesynth/cached": report.cached,
        "rolesynth/reused": report.reused,
        "rolesynth/removed": report.removed,
        "rolesynth/refusals": report.reasons.get("refused", 0),
        "rolesynth/calls_per_second": report.calls_per_second,
        "rolesynth/seconds": report.seconds,
        "rolesynth/reasons": dg.MetadataValue.json(dict(report.reasons)),
        "rolesynth/by_role": markdown_table(pl.DataFrame(report.by_role_and_length)),
        **model_metadata("captioner", model),
        **lance_metadata(
            "captions",
            rows.num_rows,
            store.version("captions"),
            {
                "text": [
                    ("image_shards", "data"),
                    ("role_lists", "responsibilities"),
                    ("role_lists", "long_template"),
                    ("role_lists", "short_template"),
                ],
                "image_id": [("image_shards", "image_id")],
                "role_fingerprint": [("role_lists", "role_fingerprint")],
            },
        ),
    }
    for number, png in enumerate(galleries(store, where, model), start=1):
        metadata[f"rolesynth/gallery_{number}"] = picture(png, "an image and its captions")
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[check_result(name, outcome) for name, outcome in outcomes.items()],
        data_version=dg.DataVersion(store.digest("captions", where)),
        tags=passing_tags(report.failed_in_passing),
    )
