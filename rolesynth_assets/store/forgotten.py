"""The word for what a forgotten shard leaves behind."""

FORGOTTEN = "forgotten"
"""Why a pair is not kept if its shard was forgotten, and the data version of such a partition."""
