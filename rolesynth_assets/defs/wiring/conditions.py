"""When cheap assets are made by themselves; what costs a GPU or a paid call never is.

All conditions ask for changed *content* (`data_version_changed`), which Dagster answers partition
by partition, also over fan-ins of 100 and more where its staleness is silent. None asks
`code_version_changed`, which compares with the last tick and not with what is stored: code changes
are for `rolesynth stale`. What changed is latched by `since_last_handled`, so a partition that
fails is not started again until its upstream changes again.
"""

import dagster as dg

_Condition = dg.AutomationCondition

_UPSTREAM_CHANGED = (
    _Condition.any_deps_match(_Condition.data_version_changed())
    .since_last_handled()
    .with_label("upstream content changed since this was made")
)
_NOTHING_BAD = ~_Condition.any_deps_match(
    _Condition.any_checks_match(_Condition.check_failed(), blocking_only=True)
).with_label("upstream did not pass a blocking check")
_QUIET = ~_Condition.any_deps_in_progress() & ~_Condition.in_progress()
_AT_HAND = ~_Condition.any_deps_missing()

# A fan-in reads all shards, and captioning finishes shard by shard: made at each of them it would
# cost the square of the shards. A missing shard does not hold it up, one that failed a check does.
FAN_IN = (
    _UPSTREAM_CHANGED & _Condition.cron_tick_passed("0 * * * *") & _NOTHING_BAD & _QUIET
).with_label("hourly, when upstream content has changed")

# Scores without the cut that counts them would be cut by the one before, so they do not start it:
# scores change the cut first. What a person excludes changes no cut.
RECUT = (
    _Condition.any_deps_match(_Condition.data_version_changed())
    .allow(dg.AssetSelection.assets("filter_cutoffs", "excluded_captions"))
    .since_last_handled()
    .with_label("the cut or what people excluded changed since this was made")
    & _AT_HAND
    & _NOTHING_BAD
    & _QUIET
).with_label("when the cut or what people excluded has changed")

# A page reads few partitions and takes a second: people look at it right after its inputs change.
PAGE = (_UPSTREAM_CHANGED & _AT_HAND & _NOTHING_BAD & _QUIET).with_label(
    "when its inputs have changed"
)

# It has nothing upstream: it is a point on a plot, and a day is as close as anyone looks.
DAILY = (_Condition.cron_tick_passed("0 6 * * *") & ~_Condition.in_progress()).with_label(
    "every day at six, UTC"
)
