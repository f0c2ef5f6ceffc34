"""Why pairs are left out of every training set, whatever their score; it imports nothing."""

FORGOTTEN = "forgotten"
"""Why a pair is not kept if its shard was forgotten, and the data version of such a partition."""
EXCLUDED = "excluded_by_reviewer"
"""Why a pair is not kept if a person excluded its caption."""
REASONS = (FORGOTTEN, EXCLUDED)
"""All of them."""
TRAINABLE = f"reason IS NULL OR reason NOT IN {REASONS}"
"""SQL predicate for the pairs that a recipe may train on, whatever its cut."""
