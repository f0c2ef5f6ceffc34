"""Removal of withdrawn images from a round of CADS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.values import Decision, Seed
from rolesynth_assets.store.digests import image_id

DRAWING_WITHDRAWN = "draw_withdrawn"
"""Reason of a candidate whose drawing was withdrawn."""


def refuse_withdrawn(
    outcome: RoundOutcome, withdrawn: Mapping[str, str], seeds: Iterable[Seed] = ()
) -> RoundOutcome:
    """Remove withdrawn images from a round, also those withdrawn while it was played.

    A candidate whose drawing was withdrawn fails and loses its verdicts: a renderer may draw the
    same bytes again from the same instruction and seed, so a repeated round would restore them. All
    records of a seed that shows a withdrawn image are removed.

    Args:
        outcome: a finished round.
        withdrawn: text of the tombstone by image id.
        seeds: seeds of the round.
    """
    lost = {s.seed_id for s in seeds if any(image_id(image) in withdrawn for image in s.images)}
    if lost:
        kept = [c for c in outcome.candidates if c.seed_id not in lost]
        ids = {c.candidate_id for c in kept}
        outcome = replace(
            outcome,
            candidates=kept,
            verdicts=[v for v in outcome.verdicts if v.candidate_id in ids],
            contexts=[c for c in outcome.contexts if c.seed_id not in lost],
        )
    gone = {c.candidate_id for c in outcome.candidates if c.image_id in withdrawn}
    if not gone:
        return outcome
    return replace(
        outcome,
        candidates=[
            replace(
                candidate,
                decision=Decision.FAILED,
                reason=DRAWING_WITHDRAWN,
                detail=withdrawn[candidate.image_id or ""],
                image=None,
                consensus=None,
                hard=False,
            )
            if candidate.candidate_id in gone
            else candidate
            for candidate in outcome.candidates
        ],
        verdicts=[v for v in outcome.verdicts if v.candidate_id not in gone],
    )
