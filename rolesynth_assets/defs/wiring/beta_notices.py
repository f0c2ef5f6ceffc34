"""Dagster's notices about parts of it that are in beta or in preview, in the one list of them."""

import warnings

DAGSTER_NOTICES = (
    # partitions of two dimensions, mapped to one of them or to another such pair
    ("BetaWarning", r"Class `Multi(ToSingleDimension)?Partition\w*Mapping` is currently in beta"),
    # image sources are observed, not made
    ("BetaWarning", r"Function `observable_source_asset` is currently in beta"),
    ("BetaWarning", r"Class `DataVersionsByPartition` is currently in beta"),
    # a check of a partitioned asset is of one partition
    ("PreviewWarning", r"Specifying a partitions_def on an AssetCheckSpec is currently in preview"),
)
"""Category and message of what 1.13 says, at each use, about parts that we use on purpose.

The exact pin of Dagster is our answer to parts that may change; drop a line once its part is out of
beta.
"""


def silence_beta_notices() -> None:
    """Ignore Dagster's notices about the parts that we use; those about others are still shown."""
    import dagster as dg

    for category, message in DAGSTER_NOTICES:
        warnings.filterwarnings("ignore", message=message, category=getattr(dg, category))
