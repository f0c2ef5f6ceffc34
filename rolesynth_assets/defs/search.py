"""What searches read: the index over the captions of each role set."""

import dagster as dg

from rolesynth_assets.captions.checks import index_complete
from rolesynth_assets.defs.wiring import conditions, freshness, partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage


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
    facts = index.build(store)
    spoken = store.count("captions", {"role_set": name}, "text IS NOT NULL", facts.captions_version)
    return Made(
        {
            "captions": facts.captions,
            "dagster/uri": str(index.folder),
            "dagster/partition_row_count": facts.captions,
        },
        store.digest("captions", {"role_set": name}, facts.captions_version),
        facts={"indexed": facts.captions, "spoken": spoken - facts.withdrawn},
    )
