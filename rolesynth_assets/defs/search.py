"""What searches read: the indexes over the captions of each role set."""

from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.captions.checks import index_complete
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.progress import reporting

if TYPE_CHECKING:
    from rolesynth_assets.store.caption_index import CaptionIndex, IndexFacts
    from rolesynth_assets.store.lance.store import Store


@stage(
    "captions",
    {"lance"},
    partitions.role_set,
    deps={"raw_captions": partitions.by_role_set},
    freshness_policy=freshness.DATA,
    automation_condition=conditions.FAN_IN,
    checks=[Check(index_complete, "Every caption with a text is in the index.")],
)
def caption_index(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Full-text index over a role set's captions, which `rolesynth search` and `browse` read.

    In: `captions` of all shards. Out: a Lance data set below `text_index/` of the data root, which
    can be deleted and made again. Stale when: any shard's captions or the code change.
    """
    from rolesynth_assets.store.text_index import TextIndex

    name, store = context.partition_key, platform.store
    index = TextIndex(platform.settings.data_root, name)
    return _made(index, index.build(store), store, name)


@stage(
    "captions",
    {"lance", "pytorch"},
    partitions.role_set,
    deps={"raw_captions": partitions.by_role_set},
    freshness_policy=freshness.DATA,
    pool="gpu",
    checks=[Check(index_complete, "Every caption with a text is in the index.")],
)
def meaning_index(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Sentence embeddings of a role set's captions, which searches by meaning read.

    In: `captions` of all shards, all-MiniLM-L6-v2, which is in the package. Out: a Lance data set
    below `meaning_index/` of the data root, with a vector index from 50,000 captions. Texts that
    did not change are not embedded again. Stale when: any shard's captions or the code change.
    """
    from rolesynth_assets.pairs.diversity import sentence_embeddings
    from rolesynth_assets.store.meaning_index import MeaningIndex

    name, store = context.partition_key, platform.store
    index = MeaningIndex(platform.settings.data_root, name)
    facts = index.build(store, sentence_embeddings, reporting(f"meaning of {name}"))
    return _made(index, facts, store, name)


def _made(index: "CaptionIndex", facts: "IndexFacts", store: "Store", role_set: str) -> Made:
    where, version = {"role_set": role_set}, facts.captions_version
    spoken = store.count("captions", where, "text IS NOT NULL", version)
    return Made(
        {
            "captions": facts.captions,
            "dagster/uri": str(index.folder),
            "dagster/partition_row_count": facts.captions,
        },
        store.digest("captions", where, version),
        facts={"indexed": facts.captions, "spoken": spoken - facts.withdrawn},
    )
