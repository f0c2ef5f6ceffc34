"""Stage 4: the judge's scores, the global cut, the kept pairs, and the manifest of them all."""

import dagster as dg

from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    markdown_table,
    model_metadata,
    picture,
    spent_metadata,
    warehouse_metadata,
)
from rolesynth_assets.defs.wiring.page_order import page_order
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags
from rolesynth_assets.pictures.markdown import quote
from rolesynth_assets.progress import reporting

_BOTH = partitions.shard_by_role_set
_CAPTION_LINEAGE = {
    column: [("raw_captions", column)] for column in ("caption_id", "image_id", "role", "length")
}


@dg.asset(
    partitions_def=_BOTH,
    deps=[
        dg.AssetDep("raw_captions"),
        dg.AssetDep("role_lists", partition_mapping=partitions.by_role_set),
        "judge",
    ],
    group_name="filter",
    kinds={"lance", "vllm"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    code_version="1",
    pool="mllm",
    check_specs=[
        check_spec(
            "caption_scores",
            "scores_cover_captions",
            "Every caption with a text has a score or a reason.",
            _BOTH,
            blocking=True,
        ),
        check_spec(
            "caption_scores",
            "scores_not_degenerate",
            "The judge tells captions apart.",
            _BOTH,
            blocking=True,
        ),
        check_spec(
            "caption_scores",
            "parse_failures_bounded",
            "Few answers of the judge are no score.",
            _BOTH,
        ),
    ],
)
def caption_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """A judge's score of 1-100 for each caption: true to the image and fit for its role.

    In: `captions`, `roles`, `images`, a multimodal judge. Out: Lance table `scores` with the reason
    behind each score. Stale when: captions, role set, judge or code change, or rows failed for a
    passing reason.
    """
    import polars as pl

    from rolesynth_assets.mllm.stand_in import keep_paid_rows
    from rolesynth_assets.pairs import checks
    from rolesynth_assets.pairs.judge import judge_prompt
    from rolesynth_assets.pairs.scoring import write_scores
    from rolesynth_assets.pictures.charts import score_histogram
    from rolesynth_assets.roles.rows import roles_from_rows

    store, where = platform.store, partitions.lance_partition(context)
    shard, role_set = where["shard"], where["role_set"]
    roles = roles_from_rows(store.read("roles", {"role_set": role_set}))
    judges = store.read("scores", where, ["judge"])["judge"].to_pylist()
    keep_paid_rows(judges, platform.settings.judge, f"scores of {shard}, {role_set}")
    report, judge = platform.ask(
        platform.settings.judge,
        lambda engine: write_scores(
            store,
            engine,
            shard,
            role_set,
            roles,
            run_id=context.run_id,
            progress=reporting(f"scores {shard} {role_set}"),
        ),
    )
    scores = pl.DataFrame(store.read("scores", where))
    captions = pl.DataFrame(store.read("captions", where, ["caption_id", "text"]))
    bounds = platform.settings.thresholds
    given = scores.filter(pl.col("score").is_not_null())
    histogram = {
        name: of_role["score"].to_list() for (name,), of_role in given.sort("role").group_by("role")
    }
    metadata = {
        "rolesynth/scored": given.height,
        **spent_metadata(
            platform.settings.prices.judge,
            report,
        ),
        "rolesynth/neutralised": report.neutralised,
        "rolesynth/recovered": report.recovered,
        "rolesynth/cached": report.current,
        "rolesynth/failures": dg.MetadataValue.json(dict(report.reasons)),
        "rolesynth/seconds": report.seconds,
        "rolesynth/judge_prompt": dg.MetadataValue.md(quote(judge_prompt().template)),
        **model_metadata("judge", judge),
        **lance_metadata(
            "scores",
            scores.height,
            store.version("scores"),
            {**_CAPTION_LINEAGE, "score": [("raw_captions", "text"), ("image_shards", "data")]},
        ),
    }
    if histogram:
        metadata["rolesynth/histogram"] = picture(score_histogram(histogram), "scores by role")
        metadata["rolesynth/mean_score"] = float(given["score"].cast(pl.Float64).mean() or 0)  # type: ignore[arg-type]
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[
            check_result("scores_cover_captions", checks.scores_cover_captions(captions, scores)),
            check_result(
                "scores_not_degenerate",
                checks.scores_not_degenerate(
                    scores, max_share=bounds.max_one_score_share, min_std=bounds.min_score_std
                ),
            ),
            check_result(
                "parse_failures_bounded",
                checks.parse_failures_bounded(scores, max_share=bounds.max_score_failure_share),
            ),
        ],
        data_version=dg.DataVersion(store.digest("scores", where)),
        tags=passing_tags(report.failed_in_passing),
    )


@dg.asset(
    partitions_def=partitions.role_set,
    deps=[
        dg.AssetDep("caption_scores", partition_mapping=partitions.by_role_set),
        "role_set_files",
    ],
    group_name="filter",
    kinds={"duckdb", "polars"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    automation_condition=conditions.FAN_IN,
    code_version="1",
    check_specs=[
        check_spec(
            "filter_cutoffs",
            name,
            text,
            partitions.role_set,
            blocking=name == "kept_share_as_asked",
        )
        for name, text in {
            "kept_share_as_asked": "The cut keeps the proportion that was asked for.",
            "no_role_wiped_out": "Every role keeps some of its captions.",
        }.items()
    ],
)
def filter_cutoffs(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """The global proportional cut of a role set: the lowest scores go, whatever their value.

    In: `scores` of all shards, the role set's filter policy. Out: DuckDB tables `cutoffs` and
    `cutoff_roles`. Stale when: any shard's scores, the policy or the code change.
    """
    import polars as pl

    from rolesynth_assets.pairs import checks
    from rolesynth_assets.pairs.cut import SCORE_COLUMNS, compute_cutoffs
    from rolesynth_assets.pairs.cut_rows import cut_rows, survivor_rows
    from rolesynth_assets.pictures.charts import kept_share_by_role
    from rolesynth_assets.store.digests import digest

    name, store, warehouse = context.partition_key, platform.store, platform.warehouse
    scores = pl.DataFrame(store.read("scores", {"role_set": name}, list(SCORE_COLUMNS)))
    role_set = partitions.ROLE_SETS[name]
    cut = compute_cutoffs(scores, role_set.filter, role_set.role_count)
    scores_digest = store.digest("scores", {"role_set": name})
    rows = cut_rows(cut, name, scores_digest)
    warehouse.replace("cutoffs", {"role_set": name}, rows)
    warehouse.replace("cutoff_roles", {"role_set": name}, survivor_rows(cut, name))
    survivors: dict[str, dict[str, tuple[int, int]]] = {}
    for row in cut.roles:
        survivors.setdefault(row.role, {})[row.length] = (row.kept, row.candidates)
    kept = sum(c.kept for c in cut.cuts)
    bounds = platform.settings.thresholds
    return dg.MaterializeResult(
        metadata=page_order(
            {
                **warehouse_metadata(
                    "cutoffs",
                    rows.height,
                    {
                        "cutoff": [("caption_scores", "score")],
                        "candidates": [("caption_scores", "score")],
                        "kept": [("caption_scores", "score")],
                    },
                ),
                "rolesynth/asked_share": cut.keep_share,
                "rolesynth/kept": kept,
                "rolesynth/kept_share": kept / max(1, sum(c.candidates for c in cut.cuts)),
                "rolesynth/cuts": markdown_table(
                    rows.select("length", "cutoff", "candidates", "unscored", "kept", "floor_kept")
                ),
                "rolesynth/survivors": picture(
                    kept_share_by_role(survivors, cut.keep_share), "kept share by role"
                ),
            }
        ),
        check_results=[
            check_result(
                "kept_share_as_asked",
                checks.kept_share_as_asked(cut, tolerance=bounds.keep_tolerance),
            ),
            check_result(
                "no_role_wiped_out",
                checks.no_role_wiped_out(cut, min_share=bounds.min_role_survival),
            ),
        ],
        data_version=dg.DataVersion(digest("cutoffs", scores_digest, repr(cut))),
    )


@dg.asset(
    partitions_def=_BOTH,
    deps=[
        dg.AssetDep("raw_captions"),
        dg.AssetDep("caption_scores"),
        dg.AssetDep("filter_cutoffs", partition_mapping=partitions.by_role_set),
    ],
    group_name="filter",
    kinds={"lance", "polars"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    automation_condition=conditions.RECUT,
    code_version="2",
    check_specs=[
        check_spec(
            "filtered_pairs",
            "diversity_not_collapsed",
            "The captions of an image do not all say the same.",
            _BOTH,
        ),
    ],
)
def filtered_pairs(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Every caption of a shard with the filter's decision: kept, or dropped and why.

    In: `captions`, `scores`, `cutoffs`. Out: Lance table `pairs`, the ledger of dropped rows
    included, and DuckDB table `diversity`. Stale when: captions, scores, the cut or the code
    change.
    """
    import polars as pl

    from rolesynth_assets.pairs import checks
    from rolesynth_assets.pairs.cut import apply_cut
    from rolesynth_assets.pairs.cut_rows import cutoffs_from_rows
    from rolesynth_assets.pairs.diversity import measure_diversity
    from rolesynth_assets.pairs.diversity_rows import (
        digest_of_texts,
        diversity_of_texts,
        diversity_rows,
    )
    from rolesynth_assets.pairs.drop_ledger import pair_ledger

    store, warehouse = platform.store, platform.warehouse
    where = partitions.lance_partition(context)
    role_set = where["role_set"]
    captions = pl.DataFrame(store.read("captions", where))
    scores = pl.DataFrame(store.read("scores", where))
    cut = cutoffs_from_rows(
        warehouse.read("cutoffs", {"role_set": role_set}),
        warehouse.read("cutoff_roles", {"role_set": role_set}),
    )
    pairs = apply_cut(captions, scores, cut)
    store.replace("pairs", where, pairs.to_arrow())
    ledger = pair_ledger(pairs, scores)
    texts = digest_of_texts(pairs)
    measured = diversity_of_texts(warehouse.read("diversity", where), texts)
    diversity = measured or measure_diversity(pairs)  # a new cut changes no caption
    rows = diversity_rows(diversity, role_set, where["shard"], texts)
    warehouse.replace("diversity", where, rows)
    metadata = {
        "rolesynth/kept": ledger.kept,
        "rolesynth/kept_share": ledger.kept / max(1, ledger.captions),
        "rolesynth/images": ledger.images,
        "rolesynth/dropped": dg.MetadataValue.json(dict(ledger.dropped)),
        "rolesynth/dropped_examples": markdown_table(ledger.examples.drop("caption_id")),
        **lance_metadata(
            "pairs",
            pairs.height,
            store.version("pairs"),
            {
                **_CAPTION_LINEAGE,
                "text": [("raw_captions", "text")],
                "score": [("caption_scores", "score")],
                "kept": [("caption_scores", "score"), ("filter_cutoffs", "cutoff")],
            },
        ),
    }
    if diversity:
        names = ("distinct_1", "distinct_2", "self_bleu", "mean_pairwise_similarity", "vendi_score")
        metadata |= {f"rolesynth/{name}": getattr(diversity, name) for name in names}
        metadata["rolesynth/diversity_images"] = diversity.n_images
    similarity = platform.settings.thresholds.max_self_similarity
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[
            check_result(
                "diversity_not_collapsed",
                checks.diversity_not_collapsed(diversity, max_similarity=similarity),
                warn=True,
            ),
        ],
        data_version=dg.DataVersion(store.digest("pairs", where)),
    )


@dg.asset(
    partitions_def=partitions.role_set,
    deps=[dg.AssetDep("filtered_pairs", partition_mapping=partitions.by_role_set)],
    group_name="filter",
    kinds={"duckdb"},
    owners=OWNERS,
    freshness_policy=freshness.DATA,
    automation_condition=conditions.FAN_IN,
    code_version="2",
    check_specs=[
        check_spec(
            "pair_manifests",
            "pairs_match_cutoffs",
            "What is kept over all shards is what the cut keeps.",
            partitions.role_set,
            blocking=True,
        )
    ],
)
def pair_manifests(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Which shards' pairs make up a role set, by digest: what fan-ins downstream depend on.

    In: `pairs` of all shards. Out: DuckDB tables `manifests` and, where the truth is known,
    `filter_quality`. Stale when: any shard's pairs or the code change.
    """
    import polars as pl

    from rolesynth_assets.embedded.world.filter_quality import filter_quality, quality_rows
    from rolesynth_assets.embedded.world.write import read_truth
    from rolesynth_assets.pairs.checks import pairs_match_cutoffs
    from rolesynth_assets.pairs.cut_rows import cutoffs_from_rows
    from rolesynth_assets.pairs.pair_manifest import manifest_rows, multiplicity
    from rolesynth_assets.store.digests import digest

    name, store = context.partition_key, platform.store
    rows = manifest_rows(store, name)
    platform.warehouse.replace("manifests", {"role_set": name}, rows)
    pairs = pl.DataFrame(store.read("pairs", {"role_set": name}))
    cut = cutoffs_from_rows(
        platform.warehouse.read("cutoffs", {"role_set": name}),
        platform.warehouse.read("cutoff_roles", {"role_set": name}),
    )
    quality = filter_quality(pairs, read_truth(platform.settings.data_root))
    platform.warehouse.replace("filter_quality", {"role_set": name}, quality_rows(quality, name))
    metadata = {
        **warehouse_metadata(
            "manifests",
            rows.height,
            {
                "pairs_digest": [("filtered_pairs", c) for c in ("caption_id", "text", "kept")],
                "kept": [("filtered_pairs", "kept")],
                "images": [("filtered_pairs", "image_id")],
            },
        ),
        "rolesynth/pairs": int(rows["kept"].sum()),
        "rolesynth/images": int(rows["images"].sum()),
        "rolesynth/multiplicity": markdown_table(multiplicity(pairs)),
    }
    if quality:  # the embedded world alone knows the truth
        metadata |= {f"rolesynth/filter_{field}": value for field, value in vars(quality).items()}
    return dg.MaterializeResult(
        metadata=page_order(metadata),
        check_results=[check_result("pairs_match_cutoffs", pairs_match_cutoffs(pairs, cut))],
        data_version=dg.DataVersion(digest("manifest", *rows["pairs_digest"].to_list())),
    )
