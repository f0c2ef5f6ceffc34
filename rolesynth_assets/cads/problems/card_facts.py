"""Collection of the facts on the card of a domain's synthetic problems (MMSynthetic)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cads.problems.card import Example, ProblemCard, Share
from rolesynth_assets.cads.problems.rules import Selection
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.mllm.engine import ModelIdentity

EXAMPLES = 6


def problem_card(
    domain: str,
    selection: Selection,
    *,
    members: Mapping[str, ModelIdentity],
    renderers: Sequence[str],
    licence: str,
    content_digest: str = "",
) -> ProblemCard:
    """Gather the facts of a card from a selection.

    Args:
        domain: partition.
        selection: result of `select.select_problems`.
        members: model of each member.
        renderers: distinct renderers of the images.
        licence: licence text.
        content_digest: content digest of the table's partition.
    """
    rows = selection.rows
    kept = rows.filter("kept")
    by_consensus = kept.group_by("consensus", "judges").len().sort("judges", "consensus")
    accepted = {"kept": rows.height} if rows.height else {}
    return ProblemCard(
        domain=domain,
        kept=kept.height,
        hard=int(kept["hard"].sum()),
        rounds=rows["round"].n_unique(),
        seeds=kept["seed_id"].n_unique(),
        decisions=accepted | dict(selection.not_accepted),
        strategies=_shares(rows, "strategy"),
        kinds=_shares(rows, "task_type"),
        writers=_shares(rows, "member"),
        consensus={(c, k): count for c, k, count in by_consensus.iter_rows()},
        dropped=selection.dropped,
        target=selection.rules.target,
        draw_seed=selection.rules.draw_seed,
        refused=sorted(selection.rules.refused),
        kept_unrefused=selection.kept_unrefused,
        members=members,
        renderers=sorted(set(renderers)),
        licence=licence,
        examples=_examples(kept),
        digest=content_digest,
    )


def _shares(rows: pl.DataFrame, column: str) -> list[Share]:
    import polars as pl

    counts = rows.group_by(column).agg(pl.len().alias("accepted"), pl.col("kept").sum())
    return [Share(name, accepted, kept) for name, accepted, kept in counts.sort(column).iter_rows()]


def _examples(kept: pl.DataFrame) -> list[Example]:
    """Return problems spread over strategies and kinds, the same ones on every run."""
    turns: Counter[tuple[str, str]] = Counter()
    ranked = []
    rows = sorted(kept.iter_rows(named=True), key=lambda row: digest("card", row["problem_id"]))
    for place, row in enumerate(rows):
        group = row["strategy"], row["task_type"]
        ranked.append((turns[group], place))
        turns[group] += 1
    return [
        Example(*(rows[at][n] for n in ("question", "answer", "strategy", "consensus", "judges")))
        for _, at in sorted(ranked)[:EXAMPLES]
    ]
