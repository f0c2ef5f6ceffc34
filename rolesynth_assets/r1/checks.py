"""Data-quality checks of R1 trainings, each with a value and a threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.data import TrainingItem
from rolesynth_assets.r1.training.checkpoint import StepLog

MAX_EXAMPLES = 5


def reward_finite(log: Sequence[StepLog]) -> CheckOutcome:
    """Pass when no step has a reward, loss or KL that is NaN or infinite.

    An untrained model has no steps and passes.
    """
    bad = [
        row.step
        for row in log
        if not all(map(math.isfinite, (row.reward, row.loss, row.kl if row.kl is not None else 0)))
    ]
    first = f", first at step {bad[0]}" if bad else ""
    return CheckOutcome(
        passed=not bad,
        value=len(bad),
        threshold=0,
        description=f"Reward, loss or KL of {len(bad)} of {len(log)} steps is not finite{first}.",
        metadata={"steps": len(log), "first_bad_steps": bad[:10]},
    )


def no_reward_hacking(
    log: Sequence[StepLog], max_fall: float = 0.02, window_share: float = 0.2
) -> CheckOutcome:
    """Pass unless the policy learned the form of an answer at the cost of right answers.

    The means of the last steps are compared with those of the first ones. The check fails if the
    share of well-formed replies rose and that of right answers fell by more than `max_fall`.

    Args:
        log: one row per optimiser step.
        max_fall: fall of the accuracy that is taken for noise, 0 to 1.
        window_share: share of the steps that is compared, at each end.
    """
    window = max(1, round(window_share * len(log)))
    if len(log) < 2:
        return CheckOutcome(
            True, 0.0, max_fall, f"{len(log)} steps: nothing to compare.", {"steps": len(log)}
        )
    first, last = log[:window], log[-window:]
    accuracy = _mean([row.accuracy for row in last]) - _mean([row.accuracy for row in first])
    form = _mean([row.format for row in last]) - _mean([row.format for row in first])
    return CheckOutcome(
        passed=not (form > 0 and accuracy < -max_fall),
        value=-accuracy,
        threshold=max_fall,
        description=(
            f"From the first to the last {window} steps, well-formed replies changed by "
            f"{form:+.1%} and right answers by {accuracy:+.1%}."
        ),
        metadata={"window_steps": window, "format_change": form, "accuracy_change": accuracy},
    )


def reload_reproduces(
    stored: Sequence[str], again: Sequence[str], min_share: float = 1.0
) -> CheckOutcome:
    """Pass when a loaded checkpoint gives the replies that were stored with it.

    Args:
        stored: stored replies, as `rollouts.reload_replies` returns them.
        again: new replies, as `rollouts.reload_replies` returns them.
        min_share: share of replies that must be exactly equal.

    Raises:
        ValueError: the numbers of replies differ.
    """
    pairs = list(zip(stored, again, strict=True))
    equal = sum(one == other for one, other in pairs)
    share = equal / len(pairs) if pairs else 1.0
    changed = [{"stored": a, "reloaded": b} for a, b in pairs if a != b]
    return CheckOutcome(
        passed=share >= min_share,
        value=share,
        threshold=min_share,
        description=f"{equal} of {len(pairs)} greedy replies are the same after reloading.",
        metadata={"examples": changed[:MAX_EXAMPLES]},
    )


def no_benchmark_problem(
    items: Sequence[TrainingItem], benchmarks: Mapping[str, Sequence[BenchmarkItem]]
) -> CheckOutcome:
    """Pass when no training image is a benchmark's, by the sha256 of the decoded pixels.

    A losslessly re-encoded copy is found; a scaled one is not.

    Args:
        items: the training questions.
        benchmarks: items of each available benchmark, by its name.
    """
    ours: dict[str, list[str]] = {}
    for item in items:
        ours.setdefault(_pixels(item.image), []).append(item.item_id)
    found: dict[str, list[str]] = {}
    for name, theirs in sorted(benchmarks.items()):
        shown = {_pixels(image) for item in theirs for image in item.images}
        hits = sorted(i for pixels in shown & ours.keys() for i in ours[pixels])
        if hits:
            found[name] = hits
    count = len({item for hits in found.values() for item in hits})
    where = ", ".join(f"{name} {len(hits)}" for name, hits in found.items())
    return CheckOutcome(
        passed=not count,
        value=count,
        threshold=0,
        description=f"{count} of {len(items)} training questions show an image of a benchmark"
        f"{f' ({where})' if where else ''}; none may.",
        metadata={
            "benchmarks": sorted(benchmarks),
            "examples": {name: hits[:MAX_EXAMPLES] for name, hits in found.items()},
        },
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _pixels(image: bytes) -> str:
    from rolesynth_assets.pictures.opened import open_picture

    with open_picture(image) as opened:
        drawn = opened.convert("RGB")
    return sha256(repr(drawn.size).encode() + drawn.tobytes()).hexdigest()
