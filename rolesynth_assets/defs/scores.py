"""Stage 4a: a judge's score of every caption."""

from functools import partial

import dagster as dg

from rolesynth_assets.defs.wiring import engine_kinds, freshness, partitions
from rolesynth_assets.defs.wiring.pages.metadata import (
    lance_metadata,
    model_metadata,
    spent_metadata,
)
from rolesynth_assets.defs.wiring.pages.rows_by_model import AskAgain, rows_by_model
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags
from rolesynth_assets.pairs import checks
from rolesynth_assets.pairs.score_reply import RULES_VERSION
from rolesynth_assets.pictures.markdown import quote
from rolesynth_assets.review.measures import judge_agrees_with_people

CAPTION_LINEAGE = {
    column: [("raw_captions", column)] for column in ("caption_id", "image_id", "role", "length")
}
"""Columns of a row about a caption that are the caption's own."""
_LINEAGE = {**CAPTION_LINEAGE, "score": [("raw_captions", "text"), ("image_shards", "data")]}


@stage(
    "filter",
    {"lance", engine_kinds.JUDGE},
    partitions.shard_by_role_set,
    deps={"raw_captions": None, "role_lists": partitions.by_role_set, "judge": None},
    freshness_policy=freshness.DATA,
    pool="mllm",
    code_version=RULES_VERSION,
    checks=[
        Check(
            checks.scores_cover_captions,
            "Every caption with a text has a score or a reason.",
            blocking=True,
            bounds={"max_uncovered": "max_unscored_captions"},
        ),
        Check(
            checks.scores_not_degenerate,
            "The judge distinguishes captions.",
            blocking=True,
            bounds={
                "max_share": "max_one_score_share",
                "min_std": "min_score_std",
                "fewest": "fewest_scores",
            },
        ),
        Check(
            checks.parse_failures_bounded,
            "Few answers of the judge are no score.",
            bounds={"max_share": "max_score_failure_share"},
        ),
        Check(
            judge_agrees_with_people,
            "Where people reviewed captions, the judge scores true ones higher.",
            warn=True,
            bounds={"min_auc": "min_judge_auc"},
        ),
    ],
)
def caption_scores(context: dg.AssetExecutionContext, config: AskAgain, platform: Platform) -> Made:
    """A judge's score of 1-100 for each caption: true to the image and fit for its role.

    In: `captions`, `roles`, `images`, a multimodal judge. Out: Lance table `scores` with the reason
    behind each score. Stale when: captions, role set, judge or code change, or rows failed for a
    transient reason.
    """
    import polars as pl

    from rolesynth_assets.pairs.judge import judge_prompt
    from rolesynth_assets.pairs.metadata import scoring_metadata
    from rolesynth_assets.pairs.scoring import write_scores
    from rolesynth_assets.review.judged import judged_labels

    store, where = platform.store, partitions.lance_partition(context)
    settings = platform.settings
    prices = settings.prices.judge
    prompt = judge_prompt(settings.scores.sampling)
    write = partial(write_scores, prompt=prompt, again=config.again)
    report, judge = rows_by_model(
        context, platform, settings.judge, prices, write, "scores", "judge"
    )
    scores = pl.DataFrame(store.read("scores", where))
    captions = pl.DataFrame(store.read("captions", where, ["caption_id", "text"]))
    return Made(
        {
            **scoring_metadata(report, scores),
            **spent_metadata(prices, report),
            "judge_prompt": quote(prompt.template),
            **model_metadata("judge", judge),
            **lance_metadata("scores", scores.height, store.version("scores"), _LINEAGE),
        },
        store.digest("scores", where),
        facts={
            "captions": captions,
            "scores": scores,
            "labels": judged_labels(store, where["role_set"]),
        },
        tags=passing_tags(report.failed_in_passing),
    )
