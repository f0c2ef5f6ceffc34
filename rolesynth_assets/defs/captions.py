"""Stage 3: a long and a short caption of every image from every role."""

from functools import partial

import dagster as dg

from rolesynth_assets.captions import checks
from rolesynth_assets.captions.reasons import RULES_VERSION
from rolesynth_assets.captions.repeated_texts import texts_differ_by_image
from rolesynth_assets.defs.wiring import engine_kinds, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import (
    lance_metadata,
    model_metadata,
    picture,
    spent_metadata,
)
from rolesynth_assets.defs.wiring.pages.rows_by_model import AskAgain, rows_by_model
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags

_CHECKS = [
    Check(
        checks.every_request_answered,
        "Every (image, role, length) is a caption or a reason.",
        blocking=True,
    ),
    Check(checks.keys_unique, "No caption is twice in the partition.", blocking=True),
    Check(
        checks.lengths_in_bounds,
        "Every caption's number of words is within its length kind's bounds.",
    ),
    Check(
        checks.failures_bounded,
        "Few requests ended without a caption.",
        blocking=True,
        bounds={"max_share": "max_failure_share"},
    ),
    Check(
        texts_differ_by_image,
        "No text is the caption of many images.",
        blocking=True,
        bounds={"max_share": "max_one_text_share", "few": "fewest_images_of_one_text"},
    ),
    Check(
        checks.persona_talk_bounded,
        "Few captions talk about their own role.",
        bounds={"max_share": "max_persona_share"},
    ),
    Check(
        checks.refusals_bounded,
        "The model refused few images.",
        bounds={"max_share": "max_refusal_share"},
    ),
]
_LINEAGE = {
    "text": [
        ("image_shards", "data"),
        ("role_lists", "responsibilities"),
        ("role_lists", "long_template"),
        ("role_lists", "short_template"),
    ],
    "image_id": [("image_shards", "image_id")],
    "role_fingerprint": [("role_lists", "role_fingerprint")],
}


@stage(
    "captions",
    {"lance", engine_kinds.CAPTIONER},
    partitions.shard_by_role_set,
    deps={
        "image_shards": partitions.by_shard,
        "role_lists": partitions.by_role_set,
        "captioner": None,
        "caption_rules": partitions.by_role_set,
    },
    freshness_policy=freshness.DATA,
    pool="mllm",
    checks=_CHECKS,
    code_version=RULES_VERSION,
)
def raw_captions(context: dg.AssetExecutionContext, config: AskAgain, platform: Platform) -> Made:
    """Long and short captions of a shard's images, one for each role, with every failure's reason.

    In: `images`, `roles`, a multimodal LLM. Out: Lance table `captions`; only what is missing is
    asked for. Stale when: the shard's images, the role set, the model or the code change, or rows
    failed for a transient reason. Where only cleaning rules, `captions` in rolesynth.yaml or the
    role set's language changed, stored replies are read again and no model is asked.
    """
    from rolesynth_assets.captions.captioning import write_captions
    from rolesynth_assets.captions.gallery import galleries, gallery_ids
    from rolesynth_assets.captions.wanted_captions import wanted_ids

    store, where = platform.store, partitions.lance_partition(context)
    settings = platform.settings
    prices, policy = settings.prices.captioner, settings.captions.policy
    language = partitions.ROLE_SETS[where["role_set"]].language
    write = partial(write_captions, policy=policy, language=language, again=config.again)
    report, model = rows_by_model(
        context, platform, settings.captioner, prices, write, "captions", "model"
    )
    rows = store.read("captions", where)
    pictures = {
        f"gallery_{number}": picture(png, "an image and its captions")
        for number, png in enumerate(galleries(store, where, model), start=1)
    }
    return Made(
        {
            **report.numbers,
            **report.model,
            **spent_metadata(prices, report),
            "reasons": report.reasons,
            "cuts": report.cuts,
            "by_role": report.by_role_frame,
            **model_metadata("captioner", model),
            "gallery_ids": gallery_ids(rows),
            **lance_metadata("captions", rows.num_rows, store.version("captions"), _LINEAGE),
            **pictures,
        },
        store.digest("captions", where),
        facts={
            "rows": rows,
            "wanted_ids": wanted_ids(store, where, model, policy),
            "policy": policy,
        },
        tags=passing_tags(report.failed_in_passing),
    )
