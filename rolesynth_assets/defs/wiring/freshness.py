"""How long a stage may go without a new materialization before the UI says so, in one place.

Dagster looks at the latest materialization of any partition of an asset, so a window shows that
*nothing at all* of a stage was made for so long. Which partitions are out of date is another
question, and `rolesynth stale` answers it. A stage that was never used is "unknown", not late.
"""

from datetime import timedelta

import dagster as dg

_WEEK = timedelta(weeks=1)
_DAY = timedelta(days=1)

WATCH = dg.FreshnessPolicy.time_window(warn_window=_WEEK + _DAY, fail_window=2 * _WEEK + _DAY)
"""`partition_health`, which every weekly refresh makes whatever else is due: after eight days one
tick is missing, after fifteen days two are, so the schedule is off or its runs fail."""

ROUNDS = dg.FreshnessPolicy.time_window(warn_window=_WEEK + _DAY, fail_window=3 * _WEEK + _DAY)
"""CADS rounds and their problems: a refresh makes one round of each domain in use. A round that
reached the cap on cost is made a week later, which is no failure; twice in a row is."""

DATA = dg.FreshnessPolicy.time_window(warn_window=5 * _WEEK, fail_window=13 * _WEEK)
"""Images, captions, filter and their pages: made when images come, and they come in batches. A
month without any is worth a look, after a quarter the source has dried up."""

MODELS = dg.FreshnessPolicy.time_window(warn_window=9 * _WEEK, fail_window=26 * _WEEK)
"""Checkpoints, benchmark scores and their reports: they follow the data, and a training may be put
off once. Half a year is two quarters of data that nobody has trained on."""

# `role_lists` and `cads_seeds` have none: people edit them when there is a reason to, and age says
# nothing about them.
