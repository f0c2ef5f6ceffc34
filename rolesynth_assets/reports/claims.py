"""What the ablation is asked: claims on differences of recipes, and whether they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.benchmarks.intervals.bootstrap import Interval
from rolesynth_assets.benchmarks.intervals.paired import HitsBySeed, mean_score, paired_difference

BEST = "best"
"""Placeholder of the recipe with the highest score on the dev split."""
BASE = "base"
"""The recipe that trains nothing."""
DEV = "_dev"
"""What the dev split of a benchmark adds to its name."""
LONG, SHORT = "scenes_long", "scenes_short"

HitsByRecipe = Mapping[tuple[str, str], HitsBySeed]
"""Hits per image by (recipe, benchmark)."""


class Verdict(StrEnum):
    """What a measured difference says of a claim."""

    HELD = "held"
    NOT_HELD = "not held"
    REVERSED = "not held, the opposite is"


@dataclass(frozen=True)
class Claim:
    """One sentence about two recipes: the first one scores higher on a benchmark.

    Attributes:
        says: the sentence.
        ours: the recipe that is claimed to be better; `BEST` is chosen on the dev split.
        theirs: what it is held against.
        benchmark: where it is measured.
        margin: share of 1 by which it is to be better.
    """

    says: str
    ours: str
    theirs: str
    benchmark: str = LONG
    margin: float = 0.0


def _part(says: str, theirs: str, benchmark: str = LONG) -> Claim:
    return Claim(says, "roles5", theirs, benchmark)


CLAIMS = (
    Claim(
        "The best recipe is above the base by at least 10 points, with its whole interval",
        BEST,
        "base",
        margin=0.10,
    ),
    Claim("The best recipe is above the base on short text", BEST, "base", SHORT),
    _part("Captions of five roles earn more than one generic caption", "generic1"),
    _part("They do so on short text, too", "generic1", SHORT),
    _part("Five roles earn more than five generic wordings", "generic5"),
    _part("The filter earns more than a random cut of equal size", "roles5_random_cut"),
    _part("The filter earns more than all captions", "roles5_no_filter"),
    Claim("The best caption of each image beats the global cut", "roles5_per_image", "roles5"),
    Claim("A floor for each image beats the plain global cut", "roles5_floor", "roles5"),
    Claim("Scores centred per image beat the plain global cut", "roles5_centred", "roles5"),
    _part("The Observer of Details earns something", "roles5_minus_observer"),
    _part("The Interpreter of Context earns something", "roles5_minus_interpreter"),
    _part("The Compositional Analyst earns something", "roles5_minus_analyst"),
    _part("The Narrative Setter earns something", "roles5_minus_narrator"),
    _part("The Emotional Responder earns something", "roles5_minus_responder"),
    _part("Whole captions earn more than their first sentences", "first_sentence"),
    _part("Whole captions earn more than a random sentence of each", "random_sentence"),
    _part("Several positives earn more than InfoNCE on one caption an image", "roles5_infonce"),
    _part("The rectangular layout earns more than the square one", "roles5_square"),
    _part("Short captions beside the long ones help on long text", "roles5_long_only"),
    _part("Long captions beside the short ones help on long text", "roles5_short_only"),
    _part("Short captions beside the long ones help on short text", "roles5_long_only", SHORT),
)
"""In the order of the paper's own ablations."""


@dataclass(frozen=True)
class Finding:
    """A claim with the difference that was measured.

    Attributes:
        claim: the claim.
        ours: the recipe behind it; the chosen one where the claim says `BEST`.
        interval: ours minus theirs, a share of 1.
        seeds: pairs of checkpoints.
        images: images of the benchmark.
    """

    claim: Claim
    ours: str
    interval: Interval
    seeds: int
    images: int

    @property
    def verdict(self) -> Verdict:
        """Held if the whole interval is above the claim's margin."""
        if self.interval.low > self.claim.margin:
            return Verdict.HELD
        return Verdict.REVERSED if self.interval.high < 0 else Verdict.NOT_HELD


def findings(hits: HitsByRecipe, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Return what was measured of each claim whose recipes and benchmark were measured.

    The recipe in the place of `BEST` is chosen on the dev split and measured on the test split.
    """
    best = best_on_dev(hits)
    found = []
    for claim in claims:
        ours = best if claim.ours == BEST else claim.ours
        a = hits.get((ours or "", claim.benchmark))
        b = hits.get((claim.theirs, claim.benchmark))
        if not a or not b or ours is None or ours == claim.theirs:
            continue
        if len(a) > 1 and len(b) > 1 and not set(a) & set(b):
            continue
        measured = paired_difference(a, b)
        found.append(Finding(claim, ours, measured.interval, measured.seeds, measured.images))
    return found


def best_on_dev(hits: HitsByRecipe, benchmark: str = LONG) -> str | None:
    """Return the trained recipe with the highest score on a dev split; None without one.

    The base is not trained, so that it is what the best recipe is held against, even if it is
    ahead.

    Among equal ones it is the first by name.
    """
    dev = {recipe: by_seed for (recipe, task), by_seed in hits.items() if task == benchmark + DEV}
    dev.pop(BASE, None)
    scores = {recipe: mean_score(by_seed).interval.value for recipe, by_seed in dev.items()}
    return max(sorted(scores), key=lambda recipe: scores[recipe], default=None)
