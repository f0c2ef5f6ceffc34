"""Stage 4b: the global cut, the kept pairs, and the manifest of them all."""

from functools import partial

import dagster as dg

from rolesynth_assets.defs.scores import CAPTION_LINEAGE
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import lance_metadata, small_table_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.pairs import checks

_CUT_LINEAGE = {
    column: [("caption_scores", "score")] for column in ("cutoff", "candidates", "kept")
}
_PAIR_LINEAGE = {
    **CAPTION_LINEAGE,
    "text": [("raw_captions", "text")],
    "score": [("caption_scores", "score")],
    "kept": [("caption_scores", "score"), ("filter_cutoffs", "cutoff")],
}
_MANIFEST_LINEAGE = {
    "pairs_digest": [("filtered_pairs", c) for c in ("caption_id", "text", "kept")],
    "kept": [("filtered_pairs", "kept")],
    "images": [("filtered_pairs", "image_id")],
}


@stage(
    "filter",
    {"lance", "polars"},
    partitions.role_set,
    deps={"caption_scores": partitions.by_role_set, "role_set_files": None},
    freshness_policy=freshness.DATA,
    automation_condition=conditions.FAN_IN,
    checks=[
        Check(
            checks.kept_share_as_asked,
            "The cut keeps the proportion that was asked for.",
            blocking=True,
            bounds={"tolerance": "keep_tolerance"},
        ),
        Check(
            checks.no_role_wiped_out,
            "Every role keeps some of its captions.",
            bounds={"min_share": "min_role_survival"},
        ),
        Check(
            checks.images_remain,
            "The cut keeps a caption of most images.",
            warn=True,
            bounds={"min_share": "min_images_covered"},
        ),
    ],
)
def filter_cutoffs(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """The global proportional cut of a role set: the lowest scores go, whatever their value.

    In: `scores` of all shards, forgotten ones left out, the role set's filter policy. Out: small
    tables `cutoffs` and `cutoff_roles`. Stale when: any shard's scores, the policy or the code
    change.
    """
    from rolesynth_assets.pairs.coverage import images_covered
    from rolesynth_assets.pairs.cut import SCORE_COLUMNS, compute_cutoffs
    from rolesynth_assets.pairs.cut_rows import write_cut
    from rolesynth_assets.pairs.metadata import cut_metadata
    from rolesynth_assets.store.digests import digest
    from rolesynth_assets.store.shard_rows import ShardRows

    name, role_set = context.partition_key, partitions.ROLE_SETS[context.partition_key]
    live = partitions.live_shards(context)
    scores = ShardRows(platform.store, "scores", name, SCORE_COLUMNS, live)
    cut = compute_cutoffs(scores, role_set.filter, role_set.role_count)
    scores_digest = scores.digest()
    coverage = images_covered(scores, cut)
    rows = write_cut(platform.small, cut, name, scores_digest, coverage)
    return Made(
        {
            **small_table_metadata("cutoffs", rows.height, _CUT_LINEAGE),
            **cut_metadata(cut, rows, coverage),
        },
        digest("cutoffs", scores_digest, repr(cut)),
        facts={"cutoffs": cut, "coverage": coverage},
    )


@stage(
    "filter",
    {"lance", "polars"},
    partitions.shard_by_role_set,
    deps={
        "raw_captions": None,
        "caption_scores": None,
        "filter_cutoffs": partitions.by_role_set,
        "excluded_captions": None,
    },
    freshness_policy=freshness.DATA,
    automation_condition=conditions.RECUT,
    code_version="2",
    checks=[
        Check(
            checks.diversity_not_collapsed,
            "The captions of an image do not all say the same.",
            warn=True,
            bounds={"max_similarity": "max_self_similarity"},
        )
    ],
)
def filtered_pairs(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Every caption of a shard with the filter's decision: kept, or dropped and why.

    In: `captions`, `scores`, `cutoffs`, `exclusions`. Out: Lance table `pairs`, the ledger of
    dropped rows included, and small table `diversity`. Stale when: captions, scores, the cut, what
    people excluded, or the code change.
    """
    import polars as pl

    from rolesynth_assets.pairs.cut import apply_cut
    from rolesynth_assets.pairs.cut_rows import read_cut
    from rolesynth_assets.pairs.diversity_rows import keep_diversity
    from rolesynth_assets.pairs.drop_ledger import pair_ledger
    from rolesynth_assets.pairs.metadata import pairs_metadata
    from rolesynth_assets.review.exclusions import excluded

    store, where = platform.store, partitions.lance_partition(context)
    scores, captions = (pl.DataFrame(store.read(name, where)) for name in ("scores", "captions"))
    cut = read_cut(platform.small, where["role_set"])
    pairs = apply_cut(captions, scores, cut, excluded(store, where))
    store.replace("pairs", where, pairs.to_arrow(), allow_empty=captions.is_empty())
    diversity = keep_diversity(platform.small, pairs, **where)
    return Made(
        {
            **pairs_metadata(pair_ledger(pairs, scores), diversity),
            **lance_metadata("pairs", pairs.height, store.version("pairs"), _PAIR_LINEAGE),
        },
        store.digest("pairs", where),
        facts={"diversity": diversity},
    )


@stage(
    "filter",
    {"lance"},
    partitions.role_set,
    deps={"filtered_pairs": partitions.by_role_set},
    freshness_policy=freshness.DATA,
    automation_condition=conditions.FAN_IN,
    code_version="2",
    checks=[
        Check(
            checks.pairs_match_cutoffs,
            "What is kept over all shards is what the cut keeps.",
            blocking=True,
        )
    ],
)
def pair_manifests(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Which shards' pairs make up a role set, by digest: what fan-ins downstream depend on.

    In: `pairs` of all shards. Out: small tables `manifests` and, where the truth is known,
    `filter_quality`. Stale when: any shard's pairs or the code change.
    """
    from rolesynth_assets.embedded.world.filter_quality import quality_of_shards, quality_rows
    from rolesynth_assets.embedded.world.write import read_truth
    from rolesynth_assets.pairs.cut_rows import read_cut
    from rolesynth_assets.pairs.pair_manifest import (
        manifest_rows,
        multiplicity,
        pinned_version,
        shards_with_exclusions,
    )
    from rolesynth_assets.store.digests import digest
    from rolesynth_assets.store.shard_rows import ShardRows

    name, store, small = context.partition_key, platform.store, platform.small
    rows = manifest_rows(store, name, partitions.live_shards(context))
    shards, version = rows["shard"].to_list(), pinned_version(rows, name)
    store.keep_version("pairs", version)
    small.replace("manifests", {"role_set": name}, rows)
    pairs = partial(ShardRows, store, "pairs", name, shards=shards, version=version)
    truth = read_truth(platform.settings.data_root)
    quality = quality_of_shards(pairs(["image_id", "length", "text", "kept"]), truth)
    small.replace("filter_quality", {"role_set": name}, quality_rows(quality, name))
    known = vars(quality) if quality else {}  # the embedded world alone knows the truth
    return Made(
        {
            **small_table_metadata("manifests", rows.height, _MANIFEST_LINEAGE),
            "pairs": int(rows["kept"].sum()),
            "images": int(rows["images"].sum()),
            "multiplicity": multiplicity(pairs(["image_id", "role", "length", "kept"])),
            **{f"filter_{field}": value for field, value in known.items()},
        },
        digest("manifest", *rows["pairs_digest"].to_list()),
        facts={
            "manifest": rows,
            "excluded": shards_with_exclusions(store, rows, name, checks.MATCHED_COLUMNS),
            "cutoffs": read_cut(small, name),
        },
    )
