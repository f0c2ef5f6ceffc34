"""Removal of withdrawn images from a round of CADS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rolesynth_assets.cads.records import CandidateRecord, RoundOutcome
from rolesynth_assets.cads.values import Decision, Seed
from rolesynth_assets.store.digests import image_id

DRAWING_WITHDRAWN = "draw_withdrawn"
"""Reason of a candidate whose drawing was withdrawn."""
SEED_WITHDRAWN = "seed_withdrawn"
"""Reason of a written candidate whose seed shows an image that was withdrawn during the round."""


def end_withdrawn(candidate: CandidateRecord, said: str) -> CandidateRecord:
    """Return a candidate as it is once an image of its seed was withdrawn.

    Args:
        candidate: a candidate; one that failed before keeps its reason.
        said: the reason in words.
    """
    if candidate.decision is Decision.FAILED:
        return candidate
    return _failed(candidate, SEED_WITHDRAWN, said)


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
            _failed(candidate, DRAWING_WITHDRAWN, withdrawn[candidate.image_id or ""])
            if candidate.candidate_id in gone
            else candidate
            for candidate in outcome.candidates
        ],
        verdicts=[v for v in outcome.verdicts if v.candidate_id not in gone],
    )


def _failed(candidate: CandidateRecord, reason: str, said: str) -> CandidateRecord:
    return replace(
        candidate,
        decision=Decision.FAILED,
        reason=reason,
        detail=said,
        image=None,
        consensus=None,
        hard=False,
    )
