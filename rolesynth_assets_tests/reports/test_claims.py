import json

import numpy as np
import pytest

from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.pictures.differences import DifferenceRow, difference_chart
from rolesynth_assets.reports.ablation_record import (
    ablation_record,
    claim_sentences,
    difference_picture,
    record_markdown,
)
from rolesynth_assets.reports.claims import (
    BEST,
    CLAIMS,
    DEV,
    LONG,
    SHORT,
    Claim,
    Verdict,
    best_on_dev,
    findings,
)

RNG = np.random.default_rng(0)
NOISE = [RNG.random(300) < 0.5 for _ in range(3)]


def seeds(share: float) -> dict[int, np.ndarray]:
    """Hits of three seeds, of which those of a higher share contain those of a lower one."""
    return {seed: np.random.default_rng(seed).random(300) < share for seed in range(3)}


HITS = {
    ("base", LONG): {0: NOISE[0]},
    ("a", LONG): seeds(0.9),
    ("b", LONG): seeds(0.6),
    ("c", LONG): seeds(0.601),
    ("a", LONG + DEV): seeds(0.5),
    ("b", LONG + DEV): seeds(0.8),
    ("base", LONG + DEV): {0: NOISE[1]},
}


def test_every_claim_is_about_recipes_that_ship() -> None:
    recipes = load_recipes()
    for claim in CLAIMS:
        assert claim.ours in recipes or claim.ours == BEST, claim
        assert claim.theirs in recipes and claim.benchmark in (LONG, SHORT), claim
    assert len({claim.says for claim in CLAIMS}) == len(CLAIMS)
    compared = {name for claim in CLAIMS for name in (claim.ours, claim.theirs)}
    embedded = {n for n, r in recipes.items() if r.model == "rolesynth-nano"}
    assert embedded <= compared  # no recipe of the ablation is trained for nothing


@pytest.mark.parametrize(
    ("ours", "theirs", "margin", "verdict"),
    [
        ("a", "b", 0.0, Verdict.HELD),
        ("a", "b", 0.1, Verdict.HELD),
        ("a", "b", 0.3, Verdict.NOT_HELD),
        ("b", "a", 0.0, Verdict.REVERSED),
        ("c", "b", 0.0, Verdict.NOT_HELD),
    ],
)
def test_a_claim_is_held_if_the_whole_interval_is(ours, theirs, margin, verdict) -> None:
    (found,) = findings(HITS, [Claim("x", ours, theirs, LONG, margin)])
    assert found.verdict is verdict


def test_the_best_recipe_is_chosen_on_the_dev_split_and_measured_on_the_test_split() -> None:
    assert best_on_dev(HITS) == "b"  # and not a, which is better on the test split
    (found,) = findings(HITS, [Claim("x", BEST, "base")])
    assert found.ours == "b"
    assert found.interval.value == pytest.approx(0.6 - NOISE[0].mean(), abs=0.05)
    without = {key: hits for key, hits in HITS.items() if not key[1].endswith(DEV)}
    assert findings(without, [Claim("x", BEST, "base")]) == []


def test_what_was_not_measured_is_left_out() -> None:
    wanted = [Claim("x", "a", "z"), Claim("y", "a", "b", SHORT), Claim("w", "a", "b")]
    assert [one.claim.says for one in findings(HITS, wanted)] == ["w"]
    apart = {("a", LONG): {0: NOISE[0], 1: NOISE[0]}, ("b", LONG): {2: NOISE[0], 3: NOISE[0]}}
    assert findings(apart, [Claim("w", "a", "b")]) == []


def record() -> dict:
    found = findings(HITS, [Claim("A beats B", "a", "b"), Claim("C beats B", "c", "b")])
    return ablation_record(
        HITS,
        found,
        images=40,
        schedule="4 steps",
        machine="here",
        sets={"a": {"pairs": 1234, "images": 40}},
        cuts={"r": {"captions": 400, "kept": 80, "images": 40, "images_covered": 14}},
    )


def test_the_page_says_what_holds_and_what_does_not() -> None:
    said = claim_sentences(record())
    held, not_held = said.splitlines()
    assert held.startswith("- **Held**: A beats B: +")
    assert held.endswith("points (`a` against `b` on scenes_long; 300 images, 3 seeds).")
    assert not_held.startswith("- **Not held**: C beats B: ")
    page = record_markdown(record())
    assert "| `a` | 3 | 1,234 | 40 |" in page and "| `r` | 400 | 80 | 40 | 14 (35%) |" in page
    assert json.loads(json.dumps(record())) == record()  # plain data
    assert claim_sentences({**record(), "findings": []}).startswith("No two recipes")


def test_the_picture_is_sorted_and_needs_a_difference() -> None:
    assert (difference_picture(record()) or b"").startswith(b"\x89PNG")
    assert difference_picture({**record(), "findings": []}) is None
    with pytest.raises(ValueError, match="no differences"):
        difference_chart([], axis="points")
    rows = [DifferenceRow("x", 1, 0.5, 1.5), DifferenceRow("y", 3, -1, 5)]
    assert difference_chart(rows, axis="p") == difference_chart(rows[::-1], axis="p")
